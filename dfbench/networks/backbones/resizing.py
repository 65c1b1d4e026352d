"""Differentiable resizing of images by fixed matrices, and a backbone on resized images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dfbench.networks.backbones.backbone import Backbone


def resized(images: Tensor, size: int) -> Tensor:
    """`[B, C, size, size]` from `[B, C, H, W]`: bilinear, antialiased when shrinking.

    Equals Pillow's and torch's antialiased bilinear filters, but as matrix products, whose gradient
    is deterministic on a GPU too. Computed in float32 even inside `torch.autocast`.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        rows, columns = (_filter(side, size, images.device) for side in images.shape[2:])
        return rows @ images @ columns.T


def _filter(source: int, target: int, device: torch.device) -> Tensor:
    """`[target, source]`: triangles as wide as a pixel of the coarser grid; rows sum to 1."""
    scale = source / target
    centres = (torch.arange(target, dtype=torch.float64, device=device) + 0.5) * scale - 0.5
    places = torch.arange(source, dtype=torch.float64, device=device)
    distances = (places - centres.unsqueeze(1)).abs() / max(scale, 1.0)
    weights = (1 - distances).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).float()


class Resizing(Backbone):
    """A backbone preceded by resizing of normalised images to `size` x `size` pixels.

    `network` is made for images of that size, and its cost does not depend on the size of the input
    images.
    """

    def __init__(self, network: Backbone, size: int) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.feature_dim = network.feature_dim
        self.published_body = f"network.{network.published_body}"
        self.published_head = network.published_head
        self.published_normalisation = network.published_normalisation
        self.fitted_tensors = network.fitted_tensors

    def in_published_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return self.network.in_published_names(tensors)

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.stage_maps(resized(x, self.size))

    def stage_features(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.stage_features(resized(x, self.size))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network(resized(x, self.size))
        return features
