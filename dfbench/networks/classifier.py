"""Classifiers of images in [0, 1], of classes and of modality, and the normalisers of both."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from dfbench.modality import Modality
from dfbench.networks.backbones.backbone import resized
from dfbench.networks.backbones.registry import new_backbone
from dfbench.networks.placement import convolutions
from dfbench.networks.portions import over_batch

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


class Classifier(nn.Module):
    """Maps images `[B, 3, H, W]` in [0, 1] to logits `[B, classes]`.

    `network` names the backbone, made for images of `image_size` pixels.
    """

    def __init__(
        self, network: str, normaliser: nn.Module, class_count: int, image_size: int
    ) -> None:
        super().__init__()
        self.network_name = network
        self.image_size = image_size
        self.normaliser = normaliser
        self.backbone = new_backbone(network, image_size)
        self.head = nn.Linear(self.backbone.feature_dim, class_count)

    def features(self, images: Tensor) -> Tensor:
        """Penultimate features `[B, feature_dim]`."""
        with convolutions(images.device):
            features = over_batch(self.backbone, self.normaliser(images))
        return features.float()

    def stage_features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Pooled output `[B, D_l]` of each stage of the backbone; the last one is `features`."""
        with convolutions(images.device):
            backbone = self.backbone
            stages = over_batch(backbone, self.normaliser(images), backbone.stage_features)
        return tuple(features.float() for features in stages)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application; see `dfbench.networks.chain`."""
        return self.normaliser, self.backbone, self.head


_WIDTHS = (3, 16, 32, 32)


class ModalityNet(nn.Module):
    """Maps images `[B, 3, H, W]` in [0, 1] to logits `[B]`, positive for sketches.

    Three strided convolutions and a pooled linear head: the task is easy, and a small network
    leaves estimators little room to fool it.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels_in, channels_out in pairwise(_WIDTHS):
            layers += [nn.Conv2d(channels_in, channels_out, 3, 2, 1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(_WIDTHS[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(2 * images - 1).mean(dim=(2, 3))
        logits: Tensor = self.head(features).squeeze(1)
        return logits
