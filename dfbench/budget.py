"""The budget: what every row that trains is given alike, so that only its images differ."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dfbench.errors import MOST_STEPS


class Budget(BaseModel):
    """The encoders' initialisation and training; their backbone is that of their teachers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    encoder_init: Literal["teacher", "random"] = "teacher"
    """Start encoders from their own teacher (frozen normalisation statistics) or from scratch."""
    embedding_dim: int = Field(default=128, ge=2)
    """Width D of the embeddings."""
    steps: int = Field(default=600, ge=0, le=MOST_STEPS)
    """Encoder steps."""
    batch_size: int = Field(default=128, ge=2)
    """Pairs in an encoder step."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak learning rate of AdamW, decayed to zero along a half cosine."""
    backbone_rate: float = Field(default=0.1, ge=0, le=1)
    """Learning rate of a backbone that starts from its teacher, as a share of the above: steps as
    large as a fresh head needs destroy what it inherits. A random backbone takes the full rate."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled weight decay of AdamW."""
    temperature: float = Field(default=0.1, gt=0)
    """Temperature T of InfoNCE."""
    queue_size: int = Field(default=1024, ge=0)
    """Embeddings a modality that InfoNCE remembers from earlier batches."""
    proxy_scale: float = Field(default=16.0, gt=0)
    """Scale of the shared proxies' logits."""
