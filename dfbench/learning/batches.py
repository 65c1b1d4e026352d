"""Stored images as tensors."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dfbench.datasets.dataset import ImageSet

_MOST = 500


def to_unit(images: Tensor) -> Tensor:
    """uint8 `[B, C, H, W]`, C 1 or 3, as float `[B, 3, H, W]` in [0, 1], channels last."""
    unit = images.float().div_(255).expand(-1, 3, -1, -1)
    return unit.contiguous(memory_format=torch.channels_last)


def batch_of(pixels: int) -> int:
    """Images of so many pixels to a side that are looked at together: 500, fewer beyond 64 px."""
    return min(_MOST, max(1, _MOST * 64**2 // pixels**2))


def image_batches(data: ImageSet, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """All images in order, with their labels, in batches that `to_unit` prepared."""
    size = batch_of(data.images.shape[-1])
    for start in range(0, len(data), size):
        images = torch.from_numpy(data.images[start : start + size].copy())
        labels = torch.from_numpy(data.labels[start : start + size].copy())
        yield to_unit(images.to(device)), labels.to(device)
