"""Classifiers of images in [0, 1]: of classes (normaliser, backbone, head) and of modality."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from dfbench.networks.backbones.registry import new_backbone
from dfbench.networks.placement import convolutions
from dfbench.networks.portions import over_batch


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
