"""Batches of stored images as tensors, and their augmentation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.datasets.dataset import ImageSet

_MOST = 500


def to_unit(images: Tensor) -> Tensor:
    """uint8 `[B, C, H, W]`, C 1 or 3, as float `[B, 3, H, W]` in [0, 1], channels last."""
    unit = images.float().div_(255).expand(-1, 3, -1, -1)
    return unit.contiguous(memory_format=torch.channels_last)


def batch_of(pixels: int) -> int:
    """Number of images of this size processed at once: 500, fewer above 64 px."""
    return min(_MOST, max(1, _MOST * 64**2 // pixels**2))


def image_batches(data: ImageSet, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """All images in order, with their labels, in batches converted by `to_unit`."""
    size = batch_of(data.images.shape[-1])
    for start in range(0, len(data), size):
        images = torch.from_numpy(data.images[start : start + size].copy())
        labels = torch.from_numpy(data.labels[start : start + size].copy())
        yield to_unit(images.to(device)), labels.to(device)


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image of `[B, C, H, W]` shifted by up to H/8 pixels and mirrored with probability 1/2.

    The border is padded with its edge pixels.
    """
    count, _, height, width = images.shape
    reach = height // 8
    device = images.device
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")

    def draw(high: int) -> Tensor:
        return torch.randint(high, (count, 1), generator=generator, device=device)

    rows = torch.arange(height, device=device) + draw(2 * reach + 1)
    columns = torch.arange(width, device=device)
    columns = torch.where(draw(2) == 1, columns.flip(0), columns) + draw(2 * reach + 1)
    index = torch.arange(count, device=device).view(-1, 1, 1)
    moved = padded.permute(0, 2, 3, 1)[index, rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2)


class HostCount(nn.Module):
    """A number that stays on the host wherever its owner is, and is part of the owner's checkpoint.

    As a buffer it would move to the device, and every step that reads it would have to wait for all
    pending work of the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def get_extra_state(self) -> Tensor:
        """The number, for torch's `state_dict`."""
        return torch.tensor(self.value)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the number from a `state_dict`."""
        self.value = int(state)
