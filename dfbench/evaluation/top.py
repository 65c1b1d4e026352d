"""The k best photos of every query: exact, ties in gallery order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dfbench.errors import whole_number
from dfbench.evaluation.ranking.devices import chosen_device
from dfbench.evaluation.ranking.inputs import Array, check_pair, vectors
from dfbench.evaluation.ranking.labels import IntArray
from dfbench.evaluation.ranking.similarity import full_precision, scoring
from dfbench.evaluation.ranking.task import TILE_BYTES

_BYTES_PER_PAIR = 4 + 3 * 8


def top_k(
    queries: Array,
    gallery: Array,
    k: int,
    *,
    similarity: str = "cosine",
    device: str = "cpu",
) -> IntArray:
    """Gallery indices of the k best photos of every query, best first, [Q, k].

    Ranked by the same integer keys as the metrics; tied photos keep gallery order. Raises
    `InvalidInput` for k outside 1..G and for embeddings that cannot be ranked.
    """
    place = chosen_device(device)
    with full_precision(place):
        sides = vectors("queries", queries, place), vectors("gallery", gallery, place)
        check_pair(*sides)
        n_photos = len(sides[1])
        k = whole_number("k", k, 1, n_photos)
        made = scoring(*sides, similarity)
        step = max(1, TILE_BYTES[place.type] // (_BYTES_PER_PAIR * n_photos))
        buffer = torch.empty((min(step, len(sides[0])), n_photos), device=place)
        best = [
            _best(made.keys(rows, made.products(rows, out=buffer[: len(rows)])), k)
            for rows in torch.split(torch.arange(len(sides[0])), step)
        ]
    return np.concatenate(best)


def _best(keys: Tensor, k: int) -> IntArray:
    photo = torch.arange(keys.shape[1], device=keys.device)
    unique = keys.long().bitwise_left_shift_(32).bitwise_or_(photo)
    best = unique.topk(k, largest=False, sorted=True).values & 0xFFFFFFFF
    found: IntArray = best.cpu().numpy()
    return found


_RETRIEVED = 2**24
"""Largest number of photos held at once, over all queries of a part."""


@dataclass(frozen=True)
class RetrievedPhotos:
    """What one ranking retrieves for queries, and for classes of queries."""

    top: IntArray
    """`[Q, k]`, indices of the best photos of every query, best first."""
    shares: NDArray[np.float64]
    """As `class_shares` gives them."""


def class_shares(
    queries: Array,
    gallery: Array,
    query_labels: NDArray[np.int64],
    gallery_labels: NDArray[np.int64],
    classes: int,
    *,
    similarity: str = "cosine",
    device: str = "cpu",
) -> NDArray[np.float64]:
    """`[C, C]`: classes of the top R photos of each class's queries, R being its number of photos.

    Rows are classes of queries, columns of photos. The diagonal is the R-precision of a class; a
    class without queries or photos has a row of 0. Labels are indices below `classes`.
    """
    everyone = np.ones(len(query_labels), np.bool_)
    sides = queries, gallery, query_labels, gallery_labels
    return retrieve(*sides, classes, 1, everyone, similarity=similarity, device=device).shares


def retrieve(
    queries: Array,
    gallery: Array,
    query_labels: NDArray[np.int64],
    gallery_labels: NDArray[np.int64],
    classes: int,
    k: int,
    counted: NDArray[np.bool_],
    *,
    similarity: str = "cosine",
    device: str = "cpu",
) -> RetrievedPhotos:
    """The k best photos of every query, and the class shares of those that are `counted`, `[Q]`."""
    relevant = np.bincount(gallery_labels, minlength=classes)
    deepest = max(k, int(relevant.max()))
    counts = np.zeros((classes, classes))
    tops = []
    for places in _parts(len(query_labels), max(1, _RETRIEVED // deepest)):
        best = top_k(queries[places], gallery, deepest, similarity=similarity, device=device)
        tops.append(best[:, :k].copy())
        labels = np.where(counted[places], query_labels[places], -1)
        for name in np.unique(query_labels[places][counted[places]]):
            retrieved = gallery_labels[best[labels == name, : relevant[name]]]
            counts[name] += np.bincount(retrieved.ravel(), minlength=classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    return RetrievedPhotos(np.concatenate(tops), shares)


def _parts(count: int, most: int) -> list[slice]:
    return [slice(start, start + most) for start in range(0, count, most)]
