"""What every ranking engine is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dfbench.evaluation.labels import IntArray, Relevance
from dfbench.evaluation.similarity import Scoring

TILE_BYTES = 100 * 2**20


@dataclass(frozen=True)
class Task:
    """Queries to rank against a gallery, and how much is wanted of the ranking."""

    scoring: Scoring
    relevance: Relevance
    rows: Tensor
    """Queries to rank, each with at least one positive, [Q'], int64, on the CPU."""
    reach: int = 0
    """Ranks down to which places in gallery order must be right; 0 when no metric needs them."""
    tile_bytes: int = TILE_BYTES
    """Bound of the products held at a time; a tile is never less than one query."""

    @property
    def n_photos(self) -> int:
        """G: photos in the gallery."""
        return len(self.scoring.gallery)

    def positives_of(self, rows: Tensor) -> Tensor:
        """R of each of some queries, int64, on the CPU."""
        return torch.from_numpy(self.relevance.counts)[rows]

    def photos_of(self, query: int) -> IntArray:
        """Gallery indices of a query's positives, ascending."""
        return self.relevance.photos[self.relevance.queries[query]]

    def tile_rows(self, bytes_per_pair: int) -> int:
        """Queries of a tile: tiles are as equal as possible and no larger than the bound."""
        most = max(1, self.tile_bytes // (bytes_per_pair * self.n_photos))
        tiles = -(-len(self.rows) // most)
        return -(-len(self.rows) // tiles)
