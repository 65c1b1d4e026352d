"""The contract of a re-ranker: what it receives and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor


class RerankerConfig(BaseModel):
    """Base class of a re-ranker's `Config`: frozen, typed, no unknown keys, all with defaults."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Reranker(ABC):
    """A re-ranker: scores every photo of a gallery for a query, from embeddings alone.

    It runs in a process of its own, which has no labels, names or images. Queries and photos arrive
    in an order that follows from the embeddings, so that positions tell nothing about classes.
    `prepare` is called once, then `scores` for one block of queries after another. The scores of a
    query must not depend on the other queries of its block.
    """

    name: ClassVar[str]
    """Name for `--rerank`, as in its `RerankerSpec`."""
    title: ClassVar[str]
    """Name in tables."""
    version: ClassVar[int] = 1
    """Increased when the same embeddings may get other scores."""
    definition: ClassVar[str]
    """What is computed, in one line, with its source; stored with every score."""
    Config: ClassVar[type[RerankerConfig]] = RerankerConfig
    """Settings, for `--rerank NAME:KEY=VALUE`."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def prepare(self, gallery: Tensor, similarity: str) -> None:
        """Receive the embeddings of all photos, `[G, D]`, float32, and how they are compared.

        `similarity` is `cosine`, `inner` or `euclidean`. The embeddings must not be changed.
        """

    @abstractmethod
    def scores(self, queries: Tensor) -> Tensor:
        """`[B, G]`, floating point: scores of all photos for queries `[B, D]`; larger is better.

        Photos with equal scores tie. Every score must be finite.
        """
