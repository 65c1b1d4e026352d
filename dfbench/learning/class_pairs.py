"""Pairs of one class from photos and sketches that nobody paired, balanced over the classes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dfbench.learning.batches import to_unit
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.pool import LabelledPairs, Pairs


class ClassedImages(NamedTuple):
    """Images of one modality and the class of each, given or decided by a teacher."""

    images: Tensor
    """uint8 `[N, 3, H, W]`, on any device."""
    classes: Tensor
    """`[N]`, indices into the union of classes."""


class ClassPairs:
    """A source of pairs: photo and sketch of one class, all classes equally often.

    Batches lie on the device of `generator`, which draws them.
    """

    def __init__(
        self, photos: ClassedImages, sketches: ClassedImages, generator: torch.Generator
    ) -> None:
        self.photos = photos
        self.sketches = sketches
        self._random = generator

    def state(self) -> dict[str, Stateful]:
        """What a checkpoint has to hold."""
        return {"pairs": RandomState(self._random)}

    def draw(self, count: int) -> Pairs:
        """`count` pairs, images in [0, 1]."""
        photo_rows, sketch_rows = self._rows(count)
        return Pairs(self._batch(self.photos, photo_rows), self._batch(self.sketches, sketch_rows))

    def draw_labelled(self, count: int, class_count: int) -> LabelledPairs:
        """`count` pairs with the one-hot classes `[count, class_count]` of their images."""
        rows = self._rows(count)
        sources = (self.photos, self.sketches)
        images = (self._batch(source, r) for source, r in zip(sources, rows, strict=True))
        labels = (
            functional.one_hot(source.classes[r], class_count).float()
            for source, r in zip(sources, rows, strict=True)
        )
        return LabelledPairs(*images, *labels)

    def _rows(self, count: int) -> tuple[Tensor, Tensor]:
        return balanced_rows(self.photos.classes, self.sketches.classes, count, self._random)

    def _batch(self, source: ClassedImages, rows: Tensor) -> Tensor:
        images = source.images[rows.to(source.images.device)]
        return to_unit(images.to(self._random.device))


def balanced_rows(
    photo_classes: Tensor, sketch_classes: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Rows `[count]` of photos and of sketches: pair i shares a class, all classes equally often.

    `photo_classes` `[N]` and `sketch_classes` `[M]` hold the class of each image; N, M >= 1. Images
    are drawn with replacement, so that those of a rare class are repeated. A class of only one
    modality gets its share beside an image of a class that only the other modality has (or, where
    there is none, of any): it has no partner to learn from, but a class to learn.
    """
    photos: Tensor = torch.unique(photo_classes)
    sketches: Tensor = torch.unique(sketch_classes)
    common = photos[torch.isin(photos, sketches)]
    photo_only = photos[~torch.isin(photos, common)]
    sketch_only = sketches[~torch.isin(sketches, common)]
    unpaired = max(len(photo_only), len(sketch_only))
    pair = torch.randint(
        len(common) + unpaired, (count,), generator=generator, device=generator.device
    )
    wanted_photos = torch.cat([common, _repeated(photo_only, photos, unpaired)])[pair]
    wanted_sketches = torch.cat([common, _repeated(sketch_only, sketches, unpaired)])[pair]
    return (
        _rows_of(photo_classes, wanted_photos, generator),
        _rows_of(sketch_classes, wanted_sketches, generator),
    )


def _repeated(own: Tensor, otherwise: Tensor, length: int) -> Tensor:
    source = own if len(own) else otherwise
    return source.repeat(length // len(source) + 1)[:length]


def _rows_of(classes: Tensor, wanted: Tensor, generator: torch.Generator) -> Tensor:
    """For each wanted class a random row of that class; every wanted class occurs."""
    order = classes.argsort(stable=True)
    counts = classes.bincount()
    first = counts.cumsum(dim=0) - counts
    size = counts[wanted]
    share = torch.rand(len(wanted), generator=generator, device=generator.device)
    return order[first[wanted] + torch.minimum((share * size).long(), size - 1)]
