"""A pool of generated pairs, which reuses each batch of an estimator for many encoder steps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dfbench.learning.batches import HostCount, to_unit


class Pairs(NamedTuple):
    """Photos and sketches `[B, 3, H, W]` in [0, 1]; row i of each is one pair."""

    photos: Tensor
    sketches: Tensor


class LabelledPairs(NamedTuple):
    """Pairs with labels, so that no teacher is needed."""

    photos: Tensor
    sketches: Tensor
    p: Tensor
    """Labels `[B, C]` of the photos over the union of classes; a row sums to 1."""
    q: Tensor
    """Labels of the sketches, in the same form."""


class PairPool(nn.Module):
    """The last `size` generated pairs, images as uint8; a module, so that checkpoints hold it."""

    photos: Tensor
    sketches: Tensor

    def __init__(self, size: int, image_size: int) -> None:
        super().__init__()
        self.size = size
        images = (size, 3, image_size, image_size)
        self.register_buffer("photos", torch.zeros(images, dtype=torch.uint8))
        self.register_buffer("sketches", torch.zeros(images, dtype=torch.uint8))
        self.written = HostCount()

    @classmethod
    def of(cls, photos: Tensor, sketches: Tensor) -> PairPool:
        """A full pool of stored pairs, uint8 `[N, C, H, W]` with C 1 or 3."""
        pool = cls(0, photos.shape[-1])
        pool.size = len(photos)
        pool.photos, pool.sketches = photos, sketches
        pool.written.value = len(photos)
        return pool

    @classmethod
    def load(cls, file: Path) -> PairPool:
        """A full pool of the pairs that `Artefacts.save_pairs` wrote."""
        pairs = load_file(file)
        return cls.of(pairs["photo"], pairs["sketch"])

    def __len__(self) -> int:
        return min(self.written.value, self.size)

    @torch.no_grad()
    def add(self, pairs: Pairs) -> None:
        """Replace the oldest pairs by a batch."""
        start, count = self.written.value, len(pairs.photos)
        slots = torch.arange(start, start + count, device=self.photos.device) % self.size
        self.photos[slots] = to_bytes(pairs.photos)
        self.sketches[slots] = to_bytes(pairs.sketches)
        self.written.value += count

    def sample(self, count: int, generator: torch.Generator) -> Pairs:
        """`count` pairs drawn with replacement; images in [0, 1]."""
        device = self.photos.device
        rows = torch.randint(len(self), (count,), generator=generator, device=device)
        return self._rows(rows)

    def newest(self, count: int) -> Pairs:
        """The last `count` pairs, or all if there are fewer."""
        end = self.written.value
        rows = torch.arange(end - min(count, len(self)), end, device=self.photos.device)
        return self._rows(rows % self.size)

    def stored(self) -> tuple[Tensor, Tensor]:
        """All photos and all sketches, uint8 `[N, C, H, W]`, for `Artefacts.save_pairs`."""
        return self.photos[: len(self)], self.sketches[: len(self)]

    def _rows(self, rows: Tensor) -> Pairs:
        return Pairs(to_unit(self.photos[rows]), to_unit(self.sketches[rows]))


def to_bytes(images: Tensor) -> Tensor:
    """Images in [0, 1] as uint8, rounded to the nearest level."""
    return (images.detach() * 255).round().clamp(0, 255).to(torch.uint8)
