"""A classifier that takes images in [0, 1]: normaliser, backbone, linear head."""

from __future__ import annotations

from torch import Tensor, nn

from dfbench.networks.backbones import new_backbone
from dfbench.networks.portions import over_batch
from dfbench.networks.precision import convolutions


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
        """Pooled output `[B, D_l]` of every stage of the backbone; the last is `features`."""
        with convolutions(images.device):
            backbone = self.backbone
            stages = over_batch(backbone, self.normaliser(images), backbone.stage_features)
        return tuple(features.float() for features in stages)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits
