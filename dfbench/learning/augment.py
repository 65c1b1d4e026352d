"""Augmentation that keeps a class: a shift by crop with continued edges, and a mirror image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image of `[B, C, H, W]` moved by up to H/8 pixels and mirrored in half the cases.

    The border is continued by its edge pixels.
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
