"""A teacher: the frozen classifier of one modality."""

from __future__ import annotations

from typing import NamedTuple, Self

from torch import Tensor, nn

from dfbench.modality import Modality
from dfbench.networks import Classifier


class TeacherOutput(NamedTuple):
    """The output of a teacher's forward pass."""

    logits: Tensor
    """`[B, C]` over the teacher's own classes."""
    features: Tensor
    """`[B, D]`, penultimate."""


class Teacher(nn.Module):
    """A frozen classifier of images `[B, 3, H, W]` in [0, 1], always in evaluation mode.

    Gradients flow through it to the images but not to its weights.
    """

    def __init__(self, modality: Modality, classes: tuple[str, ...], network: Classifier) -> None:
        super().__init__()
        self.modality: Modality = modality
        self.classes = classes
        self.network = network
        self.requires_grad_(False)
        self.eval()

    def forward(self, images: Tensor) -> TeacherOutput:
        features = self.network.features(images)
        return TeacherOutput(self.network.head(features), features)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, so that a teacher's statistics never change."""
        del mode
        return super().train(False)
