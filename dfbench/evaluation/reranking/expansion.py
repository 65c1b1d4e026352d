"""Query expansion and database-side augmentation: embeddings averaged over their neighbours."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from dfbench.evaluation.reranking.reranker import Reranker, RerankerConfig
from dfbench.evaluation.reranking.space import Neighbours, SimilaritySpace, require_product


class QueryExpansionConfig(RerankerConfig):
    """Settings of average query expansion."""

    k: int = Field(10, ge=1)
    """Photos that are averaged with the query."""


class QueryExpansion(Reranker):
    """Average query expansion (Chum et al. 2007): q' = mean of q and its k nearest photos.

    Embeddings have unit length under cosine. The gallery is ranked by its similarity to q'. The
    default k is that of Gordo et al. 2017.
    """

    name = "query-expansion"
    title = "Average Query Expansion"
    definition = "similarity to the mean of the query and its k nearest photos (Chum et al. 2007)"
    Config: ClassVar[type[RerankerConfig]] = QueryExpansionConfig

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Receive the gallery."""
        self._space = SimilaritySpace.of(gallery, similarity)

    def scores(self, queries: Tensor) -> Tensor:
        """Similarities to the expanded queries."""
        placed = self._space.place(queries)
        near = self._space.nearest(placed, self.config.k)
        total = placed + _weighted_sums(self._space, near)
        return self._space.compare(self._space.place(total / (near.index.shape[1] + 1)))


class AlphaQueryExpansionConfig(RerankerConfig):
    """Settings of alpha-weighted query expansion; the defaults are those of the paper."""

    k: int = Field(50, ge=1)
    """Photos that are averaged with the query."""
    alpha: float = Field(3.0, ge=0)
    """Power of the similarity that weights a photo; 0 is the plain mean."""


class AlphaQueryExpansion(Reranker):
    """Alpha-weighted query expansion (Radenovic et al. 2018).

    q' = q + sum over the k nearest photos of max(<q, g>, 0)^alpha g, of unit length under cosine.
    """

    name = "alpha-query-expansion"
    title = "Alpha Query Expansion"
    definition = (
        "similarity to q + sum over the k nearest photos of max(<q, g>, 0)^alpha g "
        "(Radenovic et al. 2018)"
    )
    Config: ClassVar[type[RerankerConfig]] = AlphaQueryExpansionConfig

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Receive the gallery. Raises `InvalidInput` for `euclidean`."""
        self._space = SimilaritySpace.of(gallery, similarity)
        require_product(self._space, self.name)

    def scores(self, queries: Tensor) -> Tensor:
        """Similarities to the expanded queries."""
        placed = self._space.place(queries)
        near = self._space.nearest(placed, self.config.k)
        weights = near.similarity.clamp(min=0) ** self.config.alpha
        total = placed + _weighted_sums(self._space, near, weights)
        return self._space.compare(self._space.place(total))


class DatabaseAugmentationConfig(RerankerConfig):
    """Settings of database-side augmentation."""

    k: int = Field(20, ge=1)
    """Neighbours that a photo is averaged with."""


class DatabaseAugmentation(Reranker):
    """Database-side augmentation (Turcot & Lowe 2009): g' = mean of g and its k nearest photos.

    The query is unchanged. The default k is that of Gordo et al. 2017.
    """

    name = "database-augmentation"
    title = "Database-side Augmentation"
    definition = (
        "similarity to the mean of each photo and its k nearest photos (Turcot & Lowe 2009)"
    )
    Config: ClassVar[type[RerankerConfig]] = DatabaseAugmentationConfig

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Average every photo with its neighbours."""
        space = SimilaritySpace.of(gallery, similarity)
        near = space.nearest_photos(self.config.k)
        total = space.gallery + _weighted_sums(space, near)
        self._space = SimilaritySpace.of(total / (near.index.shape[1] + 1), similarity)

    def scores(self, queries: Tensor) -> Tensor:
        """Similarities to the augmented photos."""
        return self._space.compare(self._space.place(queries))


def _weighted_sums(
    space: SimilaritySpace, near: Neighbours, weights: Tensor | None = None
) -> Tensor:
    """`[N, D]`: sum of the neighbours' embeddings, each times its weight `[N, k]`, by default 1."""
    sums = near.matrix(len(space), weights) @ space.gallery.numpy()
    return space.gallery.new_tensor(sums)
