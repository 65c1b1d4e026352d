"""The input of every ranking engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dfbench.evaluation.ranking.inputs import Array, check_pair, vectors
from dfbench.evaluation.ranking.labels import IntArray, Labels, Relevance, relevance
from dfbench.evaluation.ranking.similarity import Scoring, scoring

TILE_BYTES = {"cpu": 64 * 2**20, "cuda": 2**31}
"""Bound on the memory of an engine beyond the embeddings, by kind of device."""


@dataclass(frozen=True)
class RankingTask:
    """Queries to rank against a gallery, and the required depth of the ranking."""

    scoring: Scoring
    relevance: Relevance
    rows: Tensor
    """Queries to rank, each with at least one positive, [Q'], int64, on the CPU."""
    reach: int = 0
    """Number of ranks that must be resolved in gallery order; 0 if no metric needs them."""
    tile_bytes: int = TILE_BYTES["cpu"]
    """Bound on the products held at a time; a tile has at least one query."""

    @property
    def n_photos(self) -> int:
        """G: photos in the gallery."""
        return len(self.scoring.gallery)

    def positives_of(self, rows: Tensor) -> Tensor:
        """R of each of the given queries, int64, on the CPU."""
        return torch.from_numpy(self.relevance.counts)[rows]

    def photos_of(self, query: int) -> IntArray:
        """Gallery indices of a query's positives, ascending."""
        return self.relevance.photos[int(self.relevance.queries[query])]

    def equal_pairs(self) -> IntArray:
        """Number of (positive, negative) pairs with equal embeddings, for each query, [Q]."""
        twins, classes = self.scoring.twins, self.relevance.gallery
        pairs = np.zeros(len(self.relevance.names), dtype=np.int64)
        if twins is not None:
            copies, originals = twins.copies.cpu().numpy(), twins.originals.cpu().numpy()
            first = np.unique(originals)
            photos = np.concatenate([first, copies])
            _, group = np.unique(np.concatenate([first, originals]), return_inverse=True)
            both = np.stack([group, classes[photos]])
            (group, of), count = np.unique(both, axis=1, return_counts=True)
            size = np.bincount(group, weights=count)
            np.add.at(pairs, of, (count * (size[group] - count)).astype(np.int64))
        return pairs[self.relevance.queries]

    def tile_rows(self, bytes_per_pair: int) -> int:
        """Queries per tile: tiles are as equal as possible and no larger than the bound."""
        most = max(1, self.tile_bytes // (bytes_per_pair * self.n_photos))
        tiles = -(-len(self.rows) // most)
        return -(-len(self.rows) // tiles)


def prepared(
    queries: Array,
    gallery: Array,
    query_labels: Labels,
    gallery_labels: Labels,
    similarity: str,
    device: torch.device,
) -> RankingTask:
    """Validate, scale and number the inputs for the engines of a device.

    Raises `InvalidInput` or `UnknownName` for inputs that cannot be ranked.
    """
    sides = vectors("queries", queries, device), vectors("gallery", gallery, device)
    check_pair(*sides)
    relevant = relevance(query_labels, gallery_labels, len(sides[0]), len(sides[1]))
    return RankingTask(
        scoring=scoring(*sides, similarity),
        relevance=relevant,
        rows=torch.from_numpy(np.flatnonzero(relevant.counts)),
        tile_bytes=TILE_BYTES[device.type],
    )
