"""Class-balanced pairs of unpaired photos and sketches that share a class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dfbench.learning.batches import to_unit
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.pool import LabelledPairs, Pairs

_SHARE_OF_MEMORY = 0.25


class ClassedImages(NamedTuple):
    """Images of one modality with their classes, labelled or predicted by a teacher."""

    images: Tensor
    """uint8 `[N, 3, H, W]`, on any device."""
    classes: Tensor
    """`[N]`, indices into the union of classes."""


class ClassPairs:
    """A source of pairs: photo and sketch of one class, with equal frequency of all classes.

    Batches lie on the device of `generator`, which draws them. The images lie there too if they
    take at most a quarter of its free memory; otherwise each batch is copied to it.
    """

    def __init__(
        self, photos: ClassedImages, sketches: ClassedImages, generator: torch.Generator
    ) -> None:
        self.photos, self.sketches = (_near(source, generator) for source in (photos, sketches))
        self._balance = ClassBalance(self.photos.classes, self.sketches.classes)
        self._random = generator

    def state(self) -> dict[str, Stateful]:
        """State for checkpoints."""
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
        one_hot = torch.eye(class_count, device=self._random.device)
        labels = (one_hot[source.classes[r]] for source, r in zip(sources, rows, strict=True))
        return LabelledPairs(*images, *labels)

    def _rows(self, count: int) -> tuple[Tensor, Tensor]:
        return self._balance.draw(count, self._random)

    def _batch(self, source: ClassedImages, rows: Tensor) -> Tensor:
        images = source.images[rows.to(source.images.device)]
        return to_unit(images.to(self._random.device))


class ClassBalance:
    """Draws rows of photos and of sketches: pair i shares a class, all classes equally often.

    `photo_classes` `[N]` and `sketch_classes` `[M]` are classes of images; N, M >= 1. Images
    are drawn with replacement, so that rare classes are repeated. A class of only one modality
    gets its share too, paired with an image of a class that only the other modality has (or, if
    there is none, of any class): such a pair trains the classes but is not a positive pair.
    """

    def __init__(self, photo_classes: Tensor, sketch_classes: Tensor) -> None:
        photos: Tensor = torch.unique(photo_classes)
        sketches: Tensor = torch.unique(sketch_classes)
        common = photos[torch.isin(photos, sketches)]
        photo_only = photos[~torch.isin(photos, common)]
        sketch_only = sketches[~torch.isin(sketches, common)]
        unpaired = max(len(photo_only), len(sketch_only))
        wanted_photos = torch.cat([common, _repeated(photo_only, photos, unpaired)])
        wanted_sketches = torch.cat([common, _repeated(sketch_only, sketches, unpaired)])
        self._photos = _RowsOfClasses(photo_classes, wanted_photos)
        self._sketches = _RowsOfClasses(sketch_classes, wanted_sketches)
        self._pairs = len(common) + unpaired

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows `[count]` of photos and of sketches."""
        pair = torch.randint(self._pairs, (count,), generator=generator, device=generator.device)
        return self._photos.draw(pair, generator), self._sketches.draw(pair, generator)


class _RowsOfClasses:
    """The images of each wanted class; none of these classes is empty."""

    def __init__(self, classes: Tensor, wanted: Tensor) -> None:
        counts = classes.bincount()
        self._order = classes.argsort(stable=True)
        self._first = (counts.cumsum(dim=0) - counts)[wanted]
        self._size = counts[wanted]

    def draw(self, places: Tensor, generator: torch.Generator) -> Tensor:
        """A random row of the class for each index into the wanted classes."""
        size = self._size[places]
        share = torch.rand(len(places), generator=generator, device=generator.device)
        return self._order[self._first[places] + torch.minimum((share * size).long(), size - 1)]


def _repeated(own: Tensor, otherwise: Tensor, length: int) -> Tensor:
    source = own if len(own) else otherwise
    return source.repeat(length // len(source) + 1)[:length]


def _near(source: ClassedImages, generator: torch.Generator) -> ClassedImages:
    """The images on the generator's device, unless they take too much of its memory."""
    images, device = source.images, generator.device
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if images.numel() <= _SHARE_OF_MEMORY * free:
            images = images.to(device)
    return ClassedImages(images, source.classes.to(device))
