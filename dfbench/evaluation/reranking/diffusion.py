"""Diffusion on the gallery's graph of mutual neighbours (Iscen et al. 2017)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from dfbench.evaluation.reranking.reranker import Reranker, RerankerConfig
from dfbench.evaluation.reranking.space import SimilaritySpace, Sparse, require_product

_FloatArray = NDArray[np.float32]


class DiffusionConfig(RerankerConfig):
    """Settings of diffusion; the defaults are those of the paper for one vector per image."""

    k: int = Field(50, ge=1)
    """Neighbours of a photo in the graph."""
    query_k: int = Field(10, ge=1)
    """Photos from which a query's diffusion starts."""
    gamma: float = Field(3.0, gt=0)
    """Power of the similarity that weights an edge."""
    alpha: float = Field(0.99, gt=0, lt=1)
    """Probability of following an edge instead of returning to the start."""
    iterations: int = Field(20, ge=1, le=10_000)
    """Steps of the conjugate gradient method."""


class Diffusion(Reranker):
    """Diffusion on the gallery's graph (Iscen et al. 2017).

    w(g, h) = max(<g, h>, 0)^gamma if each is among the other's k nearest, else 0;
    S = D^-1/2 W D^-1/2 with D the diagonal of row sums. For a query, y(g) = max(<q, g>, 0)^gamma
    for its query_k nearest photos, else 0. Photos are ranked by f, which solves
    (I - alpha S) f = y by the conjugate gradient method. Photos that the diffusion does not reach
    (f <= 0) follow in the order of the plain ranking.
    """

    name = "diffusion"
    title = "Diffusion"
    definition = (
        "f with (I - alpha S) f = y on the graph of mutual neighbours; unreached photos follow in "
        "plain order (Iscen et al. 2017)"
    )
    Config: ClassVar[type[RerankerConfig]] = DiffusionConfig

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Build the graph. Raises `InvalidInput` for `euclidean`."""
        self._space = space = SimilaritySpace.of(gallery, similarity)
        require_product(space, self.name)
        near = space.nearest_photos(self.config.k)
        weights = near.similarity.clamp(min=0) ** self.config.gamma
        directed = near.matrix(len(space), weights)
        graph = sparse.csr_array(directed.minimum(directed.T))
        graph.eliminate_zeros()
        degrees = np.asarray(graph.sum(axis=1), dtype=np.float64)
        scale = np.where(degrees > 0, 1 / np.sqrt(np.where(degrees > 0, degrees, 1)), 0)
        diagonal = sparse.dia_array((scale[None].astype(np.float32), 0), shape=graph.shape)
        self._transition: Sparse = sparse.csr_array(diagonal @ graph @ diagonal)

    def scores(self, queries: Tensor) -> Tensor:
        """f, scaled to (0, 1] where it is positive; plain similarities scaled to [-1, 0] below."""
        space, config = self._space, self.config
        similarities = space.compare(space.place(queries))
        start = similarities.topk(min(config.query_k, len(space)), dim=1)
        weights = start.values.clamp(min=0) ** config.gamma
        seeds = torch.zeros_like(similarities).scatter_(1, start.indices, weights)
        reached = torch.from_numpy(self._solved(np.ascontiguousarray(seeds.numpy().T)).T)
        top, low = similarities.amax(1, keepdim=True), similarities.amin(1, keepdim=True)
        span = torch.where(top > low, top - low, 1.0)
        highest = reached.amax(1, keepdim=True)
        scaled = reached / torch.where(highest > 0, highest, 1.0)
        return torch.where(scaled > 0, scaled, (similarities - top) / span)

    def _solved(self, seeds: _FloatArray) -> _FloatArray:
        """Solutions `[G, B]` for seeds `[G, B]`: conjugate gradient from 0, query by query."""
        found = np.zeros_like(seeds)
        residual = seeds.copy()
        direction = seeds.copy()
        power = _dots(residual, residual)
        for _ in range(self.config.iterations):
            image = direction - np.float32(self.config.alpha) * (self._transition @ direction)
            step = _ratio(power, _dots(direction, image))
            found += step * direction
            residual -= step * image
            after = _dots(residual, residual)
            direction = residual + _ratio(after, power) * direction
            power = after
        return found


def _dots(left: _FloatArray, right: _FloatArray) -> NDArray[np.float64]:
    """Products of columns, `[B]`."""
    products: NDArray[np.float64] = np.einsum("gb,gb->b", left, right, dtype=np.float64)
    return products


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> _FloatArray:
    """`above / below`, 0 where a solution is exact already."""
    tiny = np.finfo(np.float32).tiny
    return np.divide(above, below, out=np.zeros_like(above), where=below > tiny).astype(np.float32)
