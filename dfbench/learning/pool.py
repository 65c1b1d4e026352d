"""A pool of generated pairs: many encoder steps from each batch an estimator makes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class PairBatch:
    """Photos and sketches with what the teachers think of them; row i of each is one pair."""

    photos: Tensor
    """`[B, 3, H, W]` in [0, 1]."""
    sketches: Tensor
    """`[B, 3, H, W]` in [0, 1]."""
    p: Tensor
    """`[B, C]`, the photo teacher's posterior over the union of classes."""
    q: Tensor
    """`[B, C]`, the sketch teacher's posterior over the union of classes."""

    def __len__(self) -> int:
        return len(self.p)


class PairPool(nn.Module):
    """The last `size` generated pairs, images as uint8 (a module so that checkpoints hold it)."""

    photos: Tensor
    sketches: Tensor
    p: Tensor
    q: Tensor
    written: Tensor

    def __init__(self, size: int, image_size: int, class_count: int) -> None:
        super().__init__()
        self.size = size
        images = (size, 3, image_size, image_size)
        self.register_buffer("photos", torch.zeros(images, dtype=torch.uint8))
        self.register_buffer("sketches", torch.zeros(images, dtype=torch.uint8))
        self.register_buffer("p", torch.zeros(size, class_count))
        self.register_buffer("q", torch.zeros(size, class_count))
        self.register_buffer("written", torch.zeros((), dtype=torch.long))

    def __len__(self) -> int:
        return min(int(self.written), self.size)

    @torch.no_grad()
    def add(self, batch: PairBatch) -> None:
        """Put a batch in the place of the oldest pairs."""
        start = int(self.written)
        slots = torch.arange(start, start + len(batch), device=self.p.device) % self.size
        self.photos[slots] = to_bytes(batch.photos)
        self.sketches[slots] = to_bytes(batch.sketches)
        self.p[slots] = batch.p
        self.q[slots] = batch.q
        self.written += len(batch)

    def sample(self, count: int, generator: torch.Generator) -> PairBatch:
        """`count` pairs drawn with replacement; images in [0, 1]."""
        device = self.p.device
        return self._rows(torch.randint(len(self), (count,), generator=generator, device=device))

    def newest(self, count: int) -> PairBatch:
        """The last `count` pairs added, or all there are."""
        end = int(self.written)
        rows = torch.arange(end - min(count, len(self)), end, device=self.p.device)
        return self._rows(rows % self.size)

    def _rows(self, rows: Tensor) -> PairBatch:
        return PairBatch(
            self.photos[rows].float() / 255,
            self.sketches[rows].float() / 255,
            self.p[rows],
            self.q[rows],
        )


def to_bytes(images: Tensor) -> Tensor:
    """Images in [0, 1] as uint8, rounded to the nearest level."""
    return (images.detach() * 255).round().clamp(0, 255).to(torch.uint8)
