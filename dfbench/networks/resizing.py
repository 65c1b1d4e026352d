"""Images of one size as a network of another takes them, by fixed matrices."""

from __future__ import annotations

import torch
from torch import Tensor


def resized(images: Tensor, size: int) -> Tensor:
    """`[B, C, size, size]` from `[B, C, H, W]`: bilinear, antialiased where it shrinks.

    As Pillow's and torch's antialiased bilinear filter; but a product of matrices, whose gradient
    is the same twice on a GPU too. float32 inside `torch.autocast` as well.
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
