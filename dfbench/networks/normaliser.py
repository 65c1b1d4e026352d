"""The normaliser of each modality, shared by teachers, estimators, encoders and evaluation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dfbench.modality import Modality
from dfbench.networks.backbones.resizing import resized

NORMALISATION: dict[Modality, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "photo": ((0.48, 0.46, 0.41), (0.25, 0.25, 0.25)),
    "sketch": ((0.85, 0.85, 0.85), (0.30, 0.30, 0.30)),
}
"""Mean and standard deviation per channel, in [0, 1]: photos are mid-grey, sketches mostly paper.

Fixed rather than measured on a dataset, so that no training images are needed.
"""


class Normaliser(nn.Module):
    """Maps images in [0, 1] to `(x - mean) / std`, channel by channel.

    With `size`, images of another height and width are first resized to `size` x `size` pixels, the
    size for which the following network was made.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], size: int | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.size = size

    @classmethod
    def of(cls, modality: Modality, size: int | None = None) -> Normaliser:
        """The normaliser of a modality."""
        return cls(*NORMALISATION[modality], size)

    def forward(self, images: Tensor) -> Tensor:
        if self.size is not None and tuple(images.shape[2:]) != (self.size, self.size):
            images = resized(images, self.size)
        return (images - self.mean) / self.std

    def inverse(self, normalised: Tensor) -> Tensor:
        """The images `[B, 3, H, W]` that `forward` maps to `normalised`; not clamped to [0, 1].

        They have the size of `normalised`: resizing is not inverted.
        """
        return normalised * self.std + self.mean
