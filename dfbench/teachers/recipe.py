"""How a teacher is made: part of every run's identity."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RECIPE_VERSION = 1
"""Raised when the same recipe may give another teacher."""
RECORDS_VERSION = 1
"""Raised when the same teacher may give other activation records."""


class TeacherRecipe(BaseModel):
    """Network, initialisation and schedule of the two teachers and of the modality classifier."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    network: str = "resnet-mini"
    """Backbone, by name."""
    initialisation: Literal["alternative", "random", "imagenet"] = "alternative"
    """Start both teachers from one network trained on alternative classes of both modalities (the
    offline stand-in for ImageNet), each from its own random weights, or both from ImageNet weights
    (networks of torchvision only)."""
    weights: Path | None = None
    """File of ImageNet weights, safetensors or a state dict; without it torchvision's are fetched.
    Only its contents enter identities, only its name enters records."""
    steps: int = Field(default=800, ge=1)
    """Steps of a teacher."""
    alternative_steps: int = Field(default=300, ge=1)
    """Steps of the common initialisation."""
    modality_steps: int = Field(default=150, ge=1)
    """Steps of the modality classifier."""
    batch_size: int = Field(default=128, ge=2)
    """Images in a step."""
    learning_rate: float = Field(default=0.1, gt=0)
    """Peak learning rate of SGD with momentum .9, one cycle."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Weight decay of SGD."""

    @property
    def recorded(self) -> TeacherRecipe:
        """The recipe as a record tells it: without the folder of `weights`."""
        name = None if self.weights is None else Path(self.weights.name)
        return self.model_copy(update={"weights": name})
