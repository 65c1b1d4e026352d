"""A classifier that takes images in [0, 1]: normaliser, backbone, linear head."""

from __future__ import annotations

from torch import Tensor, nn

from dfbench.networks.backbones import new_backbone


class Classifier(nn.Module):
    """Maps images `[B, 3, H, W]` in [0, 1] to logits `[B, classes]`."""

    def __init__(self, network: str, normaliser: nn.Module, class_count: int) -> None:
        super().__init__()
        self.network_name = network
        self.normaliser = normaliser
        self.backbone = new_backbone(network)
        self.head = nn.Linear(self.backbone.feature_dim, class_count)

    def features(self, images: Tensor) -> Tensor:
        """Penultimate features `[B, feature_dim]`."""
        features: Tensor = self.backbone(self.normaliser(images))
        return features

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits
