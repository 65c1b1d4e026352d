"""How a network made for large images is fitted to small ones."""

from __future__ import annotations

from torch import nn

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
