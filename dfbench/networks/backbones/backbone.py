"""The interface of a backbone, and the stem that fits a large-image network to small images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, of images in [0, 1]."""


class Backbone(nn.Module, ABC):
    """Maps normalised images `[B, 3, H, W]` to features `[B, feature_dim]`."""

    feature_dim: int
    made_as: tuple[str, int] | None = None
    """Name and image size that `new_backbone` made it by; None if something else did."""
    published_body: str = ""
    """Begins the names of tensors that are without it in the library the network comes from."""
    published_head: str = "head"
    """Name there of the linear layer that makes logits of the features."""
    published_normalisation: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    """How images were normalised for the weights published with the network: ImageNet's own."""
    fitted_tensors: tuple[str, ...] = ()
    """Names there of the tensors whose shape follows the image size."""

    def in_published_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The same tensors by the names they have in the network's library."""
        return tensors

    @abstractmethod
    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """The output `[B, D_l, H_l, W_l]` of every stage l, first to last."""

    def stage_features(self, x: Tensor) -> tuple[Tensor, ...]:
        """The output `[B, D_l]` of every stage, averaged over space; the last are the features."""
        return tuple(pooled(stage) for stage in self.stage_maps(x))

    def forward(self, x: Tensor) -> Tensor:
        return pooled(self.stage_maps(x)[-1])


def pooled(stage: Tensor) -> Tensor:
    """`[B, D]`: maps `[B, D, H, W]` averaged over space."""
    return stage.mean(dim=(2, 3))


LARGE = 112
"""Pixels from which on a network stays as its authors made it."""
MEDIUM = 64
"""Pixels from which on one halving of the image is left out; below, two are."""


def fit_strides(network: nn.Module, image_size: int) -> None:
    """Take the first halvings out of a network that divides 224 px by 32.

    Maps shrink to 1/32 for images of at least 112 px, 1/16 from 64 px on, 1/8 below. Only strides
    and paddings of the first convolutions change: tensors keep their names and shapes, so that
    weights for large images fit.
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
