"""Metrics as naive float64 loops over integer keys: slow, obvious, independent of the engine."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import numpy.typing as npt
import torch

from dfbench.evaluation.ranking.inputs import Array, vectors
from dfbench.evaluation.ranking.similarity import scoring

Ints = npt.NDArray[np.int64]


def keys_of(queries: Array, gallery: Array, similarity: str = "cosine") -> Ints:
    """Integer keys [Q, G], larger = better, from the same products as the engine's."""
    cpu = torch.device("cpu")
    sides = vectors("queries", queries, cpu), vectors("gallery", gallery, cpu)
    made = scoring(*sides, similarity)
    rows = torch.arange(len(sides[0]))
    products = made.products(rows, out=torch.empty(len(sides[0]), len(sides[1])))
    return -made.keys(rows, products).long().numpy()


def ranked_relevance(keys: Ints, relevant: npt.NDArray[np.bool_]) -> list[int]:
    """0/1 relevance in rank order, tied photos in gallery order."""
    return [int(relevant[i]) for i in sorted(range(len(keys)), key=lambda i: (-keys[i], i))]


def value(name: str, rel: list[int], total: int) -> float:
    """One metric of one ranked list with `total` positives in the gallery."""
    family, _, variant = name.partition(":")
    family, _, cut = family.partition("@")
    k = len(rel) if cut in ("all", "") else int(cut)
    hits, precisions = 0, []
    for rank, one in enumerate(rel[:k], start=1):
        hits += one
        precisions.append(hits / rank)
    at_hits = [p for p, one in zip(precisions, rel, strict=False) if one]
    if family == "df-sbir":
        first = at_hits[: int(variant or 10)]
        return sum(first) / len(first) if first else 0.0
    if family != "map":
        return _cut(family, variant, rel, k, total)
    if variant == "voc":
        envelope = [max(precisions[i:]) for i, one in enumerate(rel[:k]) if one]
        return sum(envelope) / min(total, k)
    if variant == "hits":
        return sum(at_hits) / hits if hits else 0.0
    return sum(at_hits) / (k if variant == "k" else min(total, k))


def _cut(family: str, variant: str, rel: list[int], k: int, total: int) -> float:
    if family == "acc":
        return float(any(rel[:k]))
    if family == "recall":
        return sum(rel[:k]) / total
    if family == "ndcg":
        gain = sum(one / log2(rank + 1) for rank, one in enumerate(rel[:k], start=1))
        return gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, total) + 1))
    return _precision(variant, rel, k, total)


def _precision(variant: str, rel: list[int], k: int, total: int) -> float:
    shorter = min(k, total)
    return {
        "": sum(rel[:k]) / k,
        "min": sum(rel[:shorter]) / shorter,
        "min-divisor": sum(rel[:k]) / shorter,
        "element": float(sum(rel[k : k + 1])),
    }[variant]


def expected_value(name: str, keys: Ints, relevant: npt.NDArray[np.bool_]) -> float:
    """Mean of a metric over every order of the tied photos, by enumeration."""
    total = int(relevant.sum())
    lists: list[list[int]] = [[]]
    for key in sorted(set(keys.tolist()), reverse=True):
        group = [int(one) for one in relevant[keys == key]]
        orders = sorted(permutations(group))
        lists = [done + list(order) for done in lists for order in orders]
    return float(np.mean([value(name, rel, total) for rel in lists]))
