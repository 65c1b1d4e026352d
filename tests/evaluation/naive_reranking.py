"""Re-rankers written from their published definitions, with loops, sets and full matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def placed(vectors: Array, similarity: str) -> Array:
    vectors = np.asarray(vectors, np.float64)
    return unit(vectors) if similarity == "cosine" else vectors


def compared(a: Array, b: Array, similarity: str) -> float:
    return -float(np.sum((a - b) ** 2)) if similarity == "euclidean" else float(a @ b)


def table(rows: Array, columns: Array, similarity: str) -> Array:
    return np.array([[compared(a, b, similarity) for b in columns] for a in rows])


def best(similarities: Array, k: int, without: int | None = None) -> list[int]:
    order = [int(i) for i in np.argsort(-similarities, kind="stable") if i != without]
    return order[:k]


def query_expansion(queries: Array, gallery: Array, similarity: str, k: int) -> Array:
    q, g = placed(queries, similarity), placed(gallery, similarity)
    scores = table(q, g, similarity)
    new = [
        np.mean([one, *(g[j] for j in best(row, k))], axis=0)
        for one, row in zip(q, scores, strict=True)
    ]
    return table(placed(np.array(new), similarity), g, similarity)


def alpha_query_expansion(
    queries: Array, gallery: Array, similarity: str, k: int, alpha: float
) -> Array:
    q, g = placed(queries, similarity), placed(gallery, similarity)
    new = []
    for one, row in zip(q, table(q, g, similarity), strict=True):
        new.append(one + sum(max(row[j], 0) ** alpha * g[j] for j in best(row, k)))
    return table(placed(np.array(new), similarity), g, similarity)


def database_augmentation(queries: Array, gallery: Array, similarity: str, k: int) -> Array:
    q, g = placed(queries, similarity), placed(gallery, similarity)
    within = table(g, g, similarity)
    new = [
        np.mean([g[i], *(g[j] for j in best(within[i], k, without=i))], axis=0)
        for i in range(len(g))
    ]
    return table(q, placed(np.array(new), similarity), similarity)


def _distances(x: Array, g: Array, similarity: str) -> Array:
    """To all photos, divided by the largest."""
    row = np.array([compared(x, other, similarity) for other in g])
    if similarity == "euclidean":
        far = -row
    else:
        far = np.linalg.norm(x) * max(np.linalg.norm(other) for other in g) - row
    return far / far.max() if far.max() > 0 else far


class Reciprocal:
    """The sets and encodings of Zhong et al. 2017, for a gallery."""

    def __init__(self, gallery: Array, similarity: str, k1: int) -> None:
        self.gallery, self.similarity = gallery, similarity
        self.k1, self.half = k1, round(k1 / 2)
        self.within = table(gallery, gallery, similarity)

    def neighbours(self, i: int, k: int) -> set[int]:
        return {i, *best(self.within[i], k, without=i)}

    def reciprocal(self, i: int, k: int) -> set[int]:
        return {j for j in self.neighbours(i, k) if i in self.neighbours(j, k)}

    def mutual(self, similarities: Array) -> set[int]:
        """The k1 nearest photos of a query that have it among their k1 nearest."""
        n = len(self.gallery)
        nearer = [
            sum(self.within[j, i] > similarities[j] for i in range(n) if i != j) for j in range(n)
        ]
        return {j for j in best(similarities, self.k1) if nearer[j] < self.k1}

    def encoded(self, own: set[int], distances: Array) -> Array:
        found = set(own)
        for j in own:
            theirs = self.reciprocal(j, self.half)
            if 3 * len(own & theirs) >= 2 * len(theirs):
                found |= theirs
        return np.array([np.exp(-d) if j in found else 0.0 for j, d in enumerate(distances)])

    def photo(self, i: int) -> Array:
        distances = _distances(self.gallery[i], self.gallery, self.similarity)
        return self.encoded(self.reciprocal(i, self.k1), distances)


def k_reciprocal(
    queries: Array, gallery: Array, similarity: str, k1: int, k2: int, weight: float
) -> Array:
    q, g = placed(queries, similarity), placed(gallery, similarity)
    made = Reciprocal(g, similarity, k1)
    single = [made.photo(i) for i in range(len(g))]
    photos = [
        np.mean([single[i], *(single[j] for j in best(row, k2 - 1, without=i))], axis=0)
        for i, row in enumerate(made.within)
    ]
    result = []
    for one, row in zip(q, table(q, g, similarity), strict=True):
        distances = _distances(one, g, similarity)
        own = made.encoded(made.mutual(row), distances)
        mean = np.mean([own, *(single[j] for j in best(row, k2 - 1))], axis=0)
        either = np.array([np.maximum(mean, photo).sum() for photo in photos])
        common = np.array([np.minimum(mean, photo).sum() for photo in photos])
        jaccard = 1 - common / np.where(either > 0, either, 1)
        result.append(-((1 - weight) * jaccard + weight * distances))
    return np.array(result)


def diffusion(
    queries: Array,
    gallery: Array,
    similarity: str,
    k: int,
    query_k: int,
    gamma: float,
    alpha: float,
) -> Array:
    """The exact solution f, by a linear system."""
    q, g = placed(queries, similarity), placed(gallery, similarity)
    n, within = len(g), table(g, g, similarity)
    near = [set(best(within[i], k, without=i)) for i in range(n)]
    graph = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if j in near[i] and i in near[j]:
                graph[i, j] = max(within[i, j], 0) ** gamma
    degree = graph.sum(1)
    root = np.array([1 / np.sqrt(d) if d > 0 else 0 for d in degree])
    system = np.eye(n) - alpha * root[:, None] * graph * root[None]
    result = []
    for row in table(q, g, similarity):
        start = np.zeros(n)
        for j in best(row, query_k):
            start[j] = max(row[j], 0) ** gamma
        result.append(np.linalg.solve(system, start))
    return np.array(result)


def cluster_free(
    queries: Array,
    gallery: Array,
    similarity: str,
    query_k: int,
    gallery_k: int,
    beta: float,
    iterations: int,
) -> list[list[int]]:
    """The order of the photos, best first, of every query."""
    q, g = placed(queries, similarity), placed(gallery, similarity)
    n, within = len(g), table(g, g, similarity)
    votes = np.zeros((n, n))
    for j in range(n):
        for rank, i in enumerate(best(within[j], gallery_k, without=j), start=1):
            votes[j, i] = 1 - (rank - 1) / (n - 1)
    orders = []
    for one in q:
        if similarity == "inner":
            values = np.array([one @ other for other in g])
        else:
            values = np.array([-np.linalg.norm(one - other) for other in g])
        order = best(values, n)
        by_place = sorted(values, reverse=True)
        for _ in range(iterations):
            top = order[:query_k]
            raised = [
                by_place[place] + beta * sum(votes[j, i] for j in top) / len(top)
                for place, i in enumerate(order)
            ]
            order = [order[place] for place in best(np.array(raised), n)]
        orders.append(order)
    return orders
