"""Augmentation that keeps a class: a shift by reflection-padded crop, and a mirror image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def crop_and_flip(
    images: Tensor, generator: torch.Generator, *, shift: int | None = None
) -> Tensor:
    """Each image of `[B, C, H, W]` moved by up to `shift` pixels and mirrored in half the cases.

    The border is continued by its edge pixels. `shift` is an eighth of the height if not given.
    """
    count, _, height, width = images.shape
    reach = height // 8 if shift is None else shift
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


def blend(
    first: Tensor, second: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Pairs, the first `share` of them mixed with another pair of the batch.

    Both images of a pair `[B, C, H, W]` get the same partner pair and the same weight, uniform in
    [0, 1] (mixup: Zhang et al. 2018; for distillation: Beyer et al. 2022).
    """
    count, device = len(first), first.device
    partner = torch.randperm(count, generator=generator, device=device)
    weight = torch.rand(count, generator=generator, device=device)
    weight[round(share * count) :] = 1
    weight = weight.view(-1, 1, 1, 1)

    def mixed(images: Tensor) -> Tensor:
        return weight * images + (1 - weight) * images[partner]

    return mixed(first), mixed(second)
