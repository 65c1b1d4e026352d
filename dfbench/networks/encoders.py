"""The pair of encoders that a method returns, and how their embeddings are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

Similarity = Literal["cosine", "inner", "euclidean"]


@dataclass(frozen=True)
class Encoders:
    """What a method returns; each module maps images `[B, 3, H, W]` in [0, 1] to `[B, D]`."""

    photo: nn.Module
    sketch: nn.Module
    similarity: Similarity = "cosine"
    readings: Mapping[str, Encoders] = field(default_factory=dict)
    """Further ways to read the same networks (e.g. `posterior`), scored beside, never instead."""
