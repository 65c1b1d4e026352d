"""The k best photos of every query: exact, ties in gallery order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dfbench.bounds import whole_number
from dfbench.evaluation.devices import chosen_device
from dfbench.evaluation.inputs import Array, check_pair, vectors
from dfbench.evaluation.labels import IntArray
from dfbench.evaluation.similarity import full_precision, scoring
from dfbench.evaluation.task import TILE_BYTES

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

    Ranked by the same integer keys as the metrics; tied photos keep the gallery's order. Raises
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
