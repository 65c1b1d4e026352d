"""k-reciprocal re-ranking (Zhong et al. 2017): photos that share neighbours with the query."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from dfbench.evaluation.reranking.reranker import Reranker, RerankerConfig
from dfbench.evaluation.reranking.space import Neighbours, SimilaritySpace, Sparse

_SHARE = 2 / 3
"""Of a neighbour's own set that must be in the query's for the two to be joined."""


class KReciprocalConfig(RerankerConfig):
    """Settings of k-reciprocal re-ranking; the defaults are those of the paper."""

    k1: int = Field(20, ge=1)
    """Neighbours among which reciprocal ones are sought."""
    k2: int = Field(6, ge=1)
    """Images, the image itself included, over which an encoding is averaged."""
    weight: float = Field(0.3, ge=0, le=1)
    """Weight of the original distance, lambda in the paper."""


class KReciprocal(Reranker):
    """k-reciprocal encoding (Zhong et al. 2017).

    N(x, k) are the k photos nearest to an image x; an image is also its own neighbour.
    R(x, k) = {g in N(x, k): x in N(g, k)}, extended by R(g, k1/2) for every g of R(x, k1) whose
    R(g, k1/2) lies in R(x, k1) by two thirds. V_x[g] = exp(-d(x, g)) in the extended set, 0
    elsewhere, then averaged over x and its k2 - 1 nearest photos. With the Jaccard distance
    J = 1 - sum min(V_q, V_g) / sum max(V_q, V_g), the gallery is ranked by (1 - lambda) J(q, g) +
    lambda d(q, g). As in the released code, d is divided by its maximum over the gallery.

    Neighbours are photos: other queries are not used, and photos are encoded without the query.
    """

    name = "k-reciprocal"
    title = "k-Reciprocal Re-ranking"
    definition = (
        "-(1 - weight) Jaccard distance of k-reciprocal encodings - weight d(q, g), neighbours "
        "among photos only (Zhong et al. 2017)"
    )
    Config: ClassVar[type[RerankerConfig]] = KReciprocalConfig

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Encode every photo."""
        self._space = space = SimilaritySpace.of(gallery, similarity)
        near = space.nearest_photos(max(self.config.k1, self.config.k2 - 1))
        k1 = min(self.config.k1, near.index.shape[1])
        self._half = _reciprocal(_neighbourhood(near, _half(k1)))
        self._half_sizes = _sizes(self._half)
        reached = _reciprocal(_neighbourhood(near, k1))
        self._last = near.similarity[:, k1 - 1] if k1 else gallery.new_full((len(space),), -np.inf)
        entries = self._extended(reached).tocoo()
        similarities = torch.from_numpy(space.pairs(*map(_int64, entries.coords)))
        rows = torch.from_numpy(_int64(entries.coords[0]))
        norms = space.gallery.norm(dim=1)
        furthest = space.distance(near.lowest, norms)
        distances = space.distance(similarities, norms[rows]) / _positive(furthest)[rows]
        shape = (len(space), len(space))
        encoded = sparse.csr_array((np.exp(-distances.numpy()), entries.coords), shape=shape)
        self._plain = encoded
        mates = _neighbourhood(near, self.config.k2 - 1)
        expanded = sparse.csr_array((mates @ encoded) / np.float32(mates.sum(axis=1)[0]))
        self._columns = sparse.csc_array(expanded)
        self._sums = np.asarray(expanded.sum(axis=1), dtype=np.float64)

    def scores(self, queries: Tensor) -> Tensor:
        """Negative distances, [B, G]."""
        space, config = self._space, self.config
        placed = space.place(queries)
        similarities = space.compare(placed)
        norms = placed.norm(dim=1)
        distances = space.distance(similarities, norms[:, None])
        distances = distances / _positive(distances.amax(1))[:, None]
        near = similarities.topk(min(config.k1, len(space)), dim=1)
        # The query is among the k1 nearest of a photo if it is not further than its k1-th.
        mutual = near.values >= self._last[near.indices]
        reached = Neighbours(near.indices, near.values, near.values).matrix(
            len(space), mutual.float()
        )
        reached.eliminate_zeros()
        encoded = self._extended(reached)
        rows, columns = encoded.nonzero()
        weights = np.exp(-distances.numpy()[rows, columns])
        encoded = sparse.csr_array((weights, (rows, columns)), shape=encoded.shape)
        mates = min(config.k2 - 1, len(space))
        if mates:
            nearest = similarities.topk(mates, dim=1)
            chosen = Neighbours(nearest.indices, nearest.values, nearest.values)
            encoded = (encoded + chosen.matrix(len(space)) @ self._plain) / np.float32(mates + 1)
        jaccard: Tensor = torch.from_numpy(self._jaccard(sparse.csr_array(encoded)))
        mixed: Tensor = (1 - config.weight) * jaccard + config.weight * distances
        return -mixed

    def _extended(self, reached: Sparse) -> Sparse:
        """Sets `[N, G]`, joined with the half-sized sets of members that mostly lie in them."""
        shared = sparse.coo_array((reached @ self._half.T).multiply(reached))
        rows, members = shared.coords
        joined = shared.data >= _SHARE * self._half_sizes[members] - 1e-6
        ones = np.ones(int(joined.sum()), np.float32)
        accepted = sparse.csr_array((ones, (rows[joined], members[joined])), shape=reached.shape)
        union = sparse.csr_array(reached + accepted @ self._half)
        union.data[:] = 1
        return union

    def _jaccard(self, encoded: Sparse) -> NDArray[np.float32]:
        """Jaccard distances `[B, G]` of encoded queries to all photos."""
        columns, n_photos = self._columns, len(self._space)
        found = np.ones((encoded.shape[0], n_photos), np.float32)
        for query in range(encoded.shape[0]):
            at = slice(encoded.indptr[query], encoded.indptr[query + 1])
            index, values = encoded.indices[at], encoded.data[at]
            lengths = columns.indptr[index + 1] - columns.indptr[index]
            entries = _ranges(columns.indptr[index], lengths)
            smaller = np.minimum(columns.data[entries], values.repeat(lengths))
            common = np.bincount(columns.indices[entries], weights=smaller, minlength=n_photos)
            either = values.sum(dtype=np.float64) + self._sums - common
            found[query] = 1 - np.divide(common, either, out=np.zeros(n_photos), where=either > 0)
        return found


def _half(k1: int) -> int:
    return round(k1 / 2)


def _neighbourhood(near: Neighbours, k: int) -> Sparse:
    """`[G, G]`: 1 for every photo's k nearest and for itself."""
    some = Neighbours(near.index[:, :k], near.similarity[:, :k], near.lowest)
    own = sparse.eye_array(len(near.index), dtype=np.float32, format="csr")
    return sparse.csr_array(some.matrix(len(near.index)) + own) if k else own


def _reciprocal(neighbourhood: Sparse) -> Sparse:
    return sparse.csr_array(neighbourhood.multiply(neighbourhood.T))


def _sizes(sets: Sparse) -> NDArray[np.float64]:
    sizes: NDArray[np.float64] = np.diff(sets.indptr).astype(np.float64)
    return sizes


def _positive(values: Tensor) -> Tensor:
    """Values to divide by; 1 in place of 0, where all photos are equally near."""
    return torch.where(values > 0, values, 1.0)


def _int64(values: NDArray[np.integer]) -> NDArray[np.int64]:
    return values.astype(np.int64, copy=False)


def _ranges(starts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """`starts[i]`, ..., `starts[i] + lengths[i] - 1` for all i, one after the other."""
    ends = lengths.cumsum(dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    offsets: NDArray[np.int64] = (starts - (ends - lengths)).repeat(lengths)
    return np.arange(total) + offsets
