"""The interface of backbones, and what adapts networks to the size of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, of images in [0, 1]."""


class Backbone(nn.Module, ABC):
    """Maps normalised images `[B, 3, H, W]` to features `[B, feature_dim]`."""

    feature_dim: int
    made_as: tuple[str, int] | None = None
    """Name and image size passed to `new_backbone`; None if it was made otherwise."""
    published_body: str = ""
    """Prefix of its tensor names that the names of the original library lack."""
    published_head: str = "head"
    """Name in that library of the linear layer that maps features to logits."""
    published_normalisation: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    """Normalisation of images for the published weights; by default that of ImageNet."""
    fitted_tensors: tuple[str, ...] = ()
    """Names in that library of the tensors whose shape depends on the image size."""

    def in_published_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The same tensors under their names in the original library."""
        return tensors

    @abstractmethod
    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """The output `[B, D_l, H_l, W_l]` of every stage l, first to last."""

    def stage_features(self, x: Tensor) -> tuple[Tensor, ...]:
        """The output `[B, D_l]` of each stage, averaged over space; the last is the features."""
        return tuple(pooled(stage) for stage in self.stage_maps(x))

    def forward(self, x: Tensor) -> Tensor:
        return pooled(self.stage_maps(x)[-1])


def pooled(stage: Tensor) -> Tensor:
    """`[B, D]`: maps `[B, D, H, W]` averaged over space."""
    return stage.mean(dim=(2, 3))


LARGE = 112
"""Image size from which a network keeps its original strides."""
MEDIUM = 64
"""Image size from which one halving of the resolution is removed; below, two are."""


def fit_strides(network: nn.Module, image_size: int) -> None:
    """Remove the first halvings of resolution from a network that divides 224 px by 32.

    Maps shrink to 1/32 for images of at least 112 px, 1/16 from 64 px on, 1/8 below. Only strides
    and paddings of the first convolutions change: tensors keep their names and shapes, so weights
    for large images still fit.
    """
    halvings = 0 if image_size >= LARGE else 1 if image_size >= MEDIUM else 2
    for layer in network.modules():
        while halvings and isinstance(layer, nn.Conv2d) and layer.stride[0] > 1:
            _double_resolution(layer)
            halvings -= 1


def _double_resolution(layer: nn.Conv2d) -> None:
    stride = layer.stride[0] // 2
    margin = (layer.kernel_size[0] - stride + 1) // 2
    layer.stride, layer.padding = (stride, stride), (margin, margin)


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
