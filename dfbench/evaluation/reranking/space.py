"""Similarities between embeddings, and nearest neighbours, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from dfbench.errors import InvalidInput

BLOCK_BYTES = 64 * 2**20
"""Bound on the similarities held at a time; a block has at least one row."""

Sparse: TypeAlias = Any
"""A `scipy.sparse.csr_array`, for which SciPy ships no types."""
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbours:
    """The k nearest photos of N images, nearest first."""

    index: Tensor
    """`[N, k]`, int64."""
    similarity: Tensor
    """`[N, k]`, float32, descending."""
    lowest: Tensor
    """`[N]`: similarity of the least similar photo."""

    def matrix(self, n_photos: int, values: Tensor | None = None) -> Sparse:
        """`[N, G]`, float32: `values` `[N, k]` at the neighbours, 1 without them."""
        count, k = self.index.shape
        data = torch.ones(count, k) if values is None else values
        starts = np.arange(count + 1) * k
        content = data.reshape(-1).float().numpy(), self.index.reshape(-1).numpy(), starts
        return sparse.csr_array(content, shape=(count, n_photos))


@dataclass(frozen=True)
class SimilaritySpace:
    """A gallery under a similarity.

    `cosine` is the product of unit vectors, `inner` that of the embeddings themselves, and
    `euclidean` the negative squared distance, so that larger is always more similar.
    """

    similarity: str
    gallery: Tensor
    """`[G, D]`, float32; unit vectors under cosine."""

    @classmethod
    def of(cls, gallery: Tensor, similarity: str) -> SimilaritySpace:
        """The space of a gallery's embeddings `[G, D]`."""
        return cls(similarity, _placed(gallery, similarity))

    def __len__(self) -> int:
        return len(self.gallery)

    def place(self, embeddings: Tensor) -> Tensor:
        """Embeddings as they are compared: unit vectors under cosine."""
        return _placed(embeddings, self.similarity)

    def compare(self, placed: Tensor, others: Tensor | None = None) -> Tensor:
        """`[B, G]`: similarity of placed embeddings to all photos, or to `others` `[M, D]`."""
        others = self.gallery if others is None else others
        products: Tensor = placed @ others.T
        if self.similarity != "euclidean":
            return products
        squares = placed.square().sum(1)[:, None] + others.square().sum(1)
        return -(squares - 2 * products).clamp(min=0)

    def pairs(self, rows: Index, columns: Index) -> NDArray[np.float32]:
        """`[N]`: similarity of photo `rows[i]` to photo `columns[i]`."""
        found = []
        step = max(1, BLOCK_BYTES // (8 * self.gallery.shape[1]))
        for start in range(0, len(rows), step):
            left = self.gallery[torch.from_numpy(rows[start : start + step])]
            right = self.gallery[torch.from_numpy(columns[start : start + step])]
            euclidean = self.similarity == "euclidean"
            pair = -(left - right).square().sum(1) if euclidean else (left * right).sum(1)
            found.append(pair.numpy())
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def distance(self, similarity: Tensor, norms: Tensor) -> Tensor:
        """Non-negative distances in the order of similarities, from |x|, the norms of the rows.

        Squared distances for `euclidean`; |x| max |g| - <x, g> for products, which is half the
        squared distance of unit vectors under cosine.
        """
        if self.similarity == "euclidean":
            return -similarity
        longest = torch.linalg.vector_norm(self.gallery, dim=1).max()
        distances: Tensor = norms * longest - similarity
        return distances.clamp(min=0)

    def nearest(self, placed: Tensor, k: int) -> Neighbours:
        """The k nearest photos of placed embeddings `[B, D]`; fewer if the gallery is smaller."""
        return self._nearest(placed, k, own=False)

    def nearest_photos(self, k: int) -> Neighbours:
        """The k nearest other photos of every photo."""
        return self._nearest(self.gallery, k, own=True)

    def _nearest(self, placed: Tensor, k: int, *, own: bool) -> Neighbours:
        k = min(k, len(self) - own)
        index, values, lowest = [], [], []
        for start, stop in self.blocks(len(placed)):
            similarity = self.compare(placed[start:stop])
            lowest.append(similarity.amin(1))
            if own:
                similarity[torch.arange(stop - start), torch.arange(start, stop)] = -torch.inf
            best = similarity.topk(k, dim=1)
            index.append(best.indices)
            values.append(best.values)
        return Neighbours(torch.cat(index), torch.cat(values), torch.cat(lowest))

    def blocks(self, count: int) -> Iterator[tuple[int, int]]:
        """Bounds of blocks of `count` rows whose similarities to the gallery fit the memory."""
        step = max(1, BLOCK_BYTES // (4 * len(self)))
        return ((start, min(start + step, count)) for start in range(0, count, step))


def require_product(space: SimilaritySpace, name: str) -> None:
    """Raise `InvalidInput` if similarities may be negative distances, whose powers mean nothing."""
    if space.similarity == "euclidean":
        raise InvalidInput(
            f"re-ranker {name!r} raises similarities to a power, which is not defined for "
            "similarity 'euclidean'; allowed: cosine, inner"
        )


def _placed(embeddings: Tensor, similarity: str) -> Tensor:
    if similarity != "cosine":
        return embeddings
    norms = embeddings.norm(dim=1, keepdim=True)
    return embeddings / torch.where(norms > 0, norms, 1.0)
