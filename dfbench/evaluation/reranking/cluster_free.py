"""Iterative cluster-free re-ranking (Hudson & Smith 2023): ranks within the gallery as votes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dfbench.evaluation.reranking.reranker import Reranker, RerankerConfig
from dfbench.evaluation.reranking.space import SimilaritySpace


class ClusterFreeConfig(RerankerConfig):
    """Settings of iterative cluster-free re-ranking; defaults as in the released code."""

    query_k: int = Field(250, ge=1)
    """Photos at the top of a query's ranking that vote, K_Q."""
    gallery_k: int = Field(256, ge=1)
    """Neighbours that each of them votes for, K_G."""
    beta: float = Field(0.5, ge=0)
    """Weight of the votes."""
    iterations: int = Field(5, ge=1, le=1000)
    """Repetitions."""


class ClusterFree(Reranker):
    """Iterative cluster-free re-ranking, ICFRR (Hudson & Smith 2023), as in the released code.

    With r_j(i) the rank of photo i among the other G - 1 photos by similarity to photo j, photo j
    votes for i with a_j(i) = 1 - (r_j(i) - 1) / (G - 1) if r_j(i) <= K_G, else 0. Let v be the
    scores of a query's ranking in descending order: negative Euclidean distances, of unit vectors
    under cosine; the product under `inner`. In every iteration, the photo at place p gets v_p plus
    beta times the mean vote of the K_Q photos at the top, and photos are sorted by that. Places
    keep their v in the next iteration. (The paper writes s + beta times the votes for every
    iteration, which agrees in the first.)
    """

    name = "cluster-free"
    title = "Iterative Cluster-free Re-ranking"
    definition = (
        "scores by place plus beta times the mean vote of the top query_k photos, each for its "
        "gallery_k nearest, iterated; as in the released code (Hudson & Smith 2023)"
    )
    Config: ClassVar[type[RerankerConfig]] = ClusterFreeConfig

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Rank the gallery for every photo, down to K_G."""
        self._space = space = SimilaritySpace.of(gallery, similarity)
        near = space.nearest_photos(self.config.gallery_k)
        k = near.index.shape[1]
        others = max(1, len(space) - 1)
        self._votes = (1 - torch.arange(k, dtype=torch.float64) / others).numpy()
        self._index = near.index.int().numpy()

    def scores(self, queries: Tensor) -> Tensor:
        """Scores of the last iteration, [B, G]."""
        similarities = self._space.compare(self._space.place(queries))
        if self._space.similarity == "euclidean":
            similarities = -(-similarities).sqrt()
        elif self._space.similarity == "cosine":
            similarities = -(2 - 2 * similarities).clamp(min=0).sqrt()
        order = similarities.argsort(dim=1, descending=True, stable=True)
        ranked = similarities.gather(1, order).double().numpy()
        found = [
            self._reranked(places, values)
            for places, values in zip(order.numpy(), ranked, strict=True)
        ]
        return torch.from_numpy(np.stack(found))

    def _reranked(
        self, order: NDArray[np.int64], ranked: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The final score of every photo of one query, [G]."""
        scores = ranked
        for _ in range(self.config.iterations):
            voters = order[: self.config.query_k]
            voted = self._index[voters]
            weights = np.broadcast_to(self._votes, voted.shape)
            votes = np.bincount(voted.ravel(), weights.ravel(), minlength=len(order)) / len(voters)
            raised = ranked + self.config.beta * votes[order]
            places = np.argsort(-raised, kind="stable")
            order, scores = order[places], raised[places]
        final = np.empty_like(scores)
        final[order] = scores
        return final
