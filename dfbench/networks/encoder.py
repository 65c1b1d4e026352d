"""The student: a backbone with a linear head whose output, on the unit sphere, is the embedding."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn
from torch.nn import functional

from dfbench.networks.backbones import new_backbone
from dfbench.networks.normaliser import Normaliser


class Encoder(nn.Module):
    """Maps images `[B, 3, H, W]` in [0, 1] to unit embeddings `[B, embedding_dim]`.

    With `frozen_statistics` its batch normalisation always uses the running statistics it has:
    those of generated images drift from the real ones.
    """

    def __init__(self, network: str, normaliser: Normaliser, embedding_dim: int) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.backbone = new_backbone(network)
        self.head = nn.Linear(self.backbone.feature_dim, embedding_dim)
        self.frozen_statistics = False

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(self.normaliser(images))
        return functional.normalize(self.head(features), dim=1)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen_statistics:
            for module in self.backbone.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self
