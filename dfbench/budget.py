"""The training budget that all methods share, so that they differ only in their images."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dfbench.errors import MOST_STEPS


class Budget(BaseModel):
    """Initialisation and training of the encoders; their backbones are those of the teachers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
    )

    encoder_init: Literal["teacher", "random"] = "teacher"
    """Initialise encoders from their teacher (frozen normalisation statistics) or randomly."""
    embedding_dim: int = Field(default=128, ge=2)
    """Dimension D of the embeddings."""
    steps: int = Field(default=600, ge=0, le=MOST_STEPS)
    """Training steps of the encoders."""
    batch_size: int = Field(default=128, ge=2)
    """Pairs per training step."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak learning rate of AdamW, decayed to zero along a half cosine."""
    backbone_rate: float = Field(default=0.1, ge=0, le=1)
    """Learning rate of a teacher-initialised backbone, as a fraction of `learning_rate`: the large
    steps that a new head needs would destroy it. A random backbone takes the full rate."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled weight decay of AdamW."""
    temperature: float = Field(default=0.1, gt=0)
    """Temperature T of InfoNCE."""
    queue_size: int = Field(default=1024, ge=0)
    """Embeddings per modality that InfoNCE keeps from earlier batches."""
    proxy_scale: float = Field(default=16.0, gt=0)
    """Scale of the logits of the shared proxies."""
