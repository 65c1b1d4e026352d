"""What a dataset is to the rest of dfbench: images by modality, class and part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.split import HoldoutName
from dfbench.modality import Modality

Images = NDArray[np.uint8]


class ImageArray(Protocol):
    """Images uint8 `[N, C, H, W]`: a NumPy array, or what is read from disk like one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, rows: Any, /) -> Images:
        """Images at an index, a slice or an array of indices or truth values."""


class LazyImages:
    """An `ImageArray` of images that `read` gets by their indices, in new memory each time."""

    def __init__(self, shape: tuple[int, ...], read: Callable[[NDArray[np.int64]], Images]) -> None:
        self.shape = shape
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> Images:
        wanted = np.arange(len(self))[rows]
        return self._read(wanted) if wanted.ndim else self._read(wanted[None])[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All images in memory."""
        if copy is False:
            raise ValueError("images on disk cannot be an array without a copy")
        return self[:].astype(dtype or np.uint8, copy=False)


def joined(parts: Sequence[tuple[ImageArray, NDArray[np.int64]]]) -> ImageArray:
    """Some images of several arrays, one after the other, read when they are asked for.

    Grey ones get three channels if others have them.
    """
    channels = max(images.shape[1] for images, _ in parts)
    ends = np.cumsum([len(rows) for _, rows in parts])

    def read(wanted: NDArray[np.int64]) -> Images:
        found = np.empty((len(wanted), *shape[1:]), np.uint8)
        of = np.searchsorted(ends, wanted, side="right")
        for number, (images, rows) in enumerate(parts):
            here = np.flatnonzero(of == number)
            if len(here):
                found[here] = images[rows[wanted[here] - (ends[number] - len(rows))]]
        return found

    shape = (int(ends[-1]), channels, *parts[0][0].shape[2:])
    return LazyImages(shape, read)


Part = Literal["train", "test"]


@dataclass(frozen=True)
class ImageSet:
    """Images of one modality with their classes, decoded and resized."""

    images: ImageArray
    """`[N, C, H, W]`, an array or read from disk by rows; C is 1 where all images are grey."""
    labels: NDArray[np.int64]
    """`[N]`, indices into `classes`."""
    classes: tuple[str, ...]
    """Class names, sorted; the index of a class comes from its name, never from folder order."""
    names: tuple[str, ...]
    """`[N]`, names unique within the set (for a folder, the path relative to it)."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ClassSplit:
    """A published division of a dataset's classes for zero-shot retrieval."""

    name: str
    """What a scenario calls it, e.g. `S25-SAKE`."""
    seen: tuple[str, ...]
    """Sorted; what teachers and students may learn."""
    unseen: tuple[str, ...]
    """Sorted, disjoint from `seen`; what queries and gallery are of."""
    source: str
    """Who published it, and where it can be read."""
    queries: int | None = None
    """Published number of sketches of the unseen classes; None if unknown."""
    gallery: int | None = None
    """Published number of photos of the unseen classes; None if unknown."""


class Dataset(Protocol):
    """A sketch-photo dataset with disjoint training, test and alternative images."""

    @property
    def name(self) -> str:
        """Name in records and tables, free of paths, e.g. `shapes` or `folder:animals`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Benchmark classes, sorted: what teachers learn and queries ask for."""

    @property
    def alternative_classes(self) -> tuple[str, ...]:
        """Spare classes, sorted and disjoint from `classes`; empty if there are none."""

    @property
    def image_size(self) -> int:
        """Height and width in pixels of every image."""

    @property
    def fingerprint(self) -> str:
        """Hex digest of all images, classes and the split: equal exactly if the contents are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know, a line each: a class list applied, unreadable files left out."""

    @property
    def splits(self) -> Mapping[str, ClassSplit]:
        """The published divisions of exactly these classes, by name; empty if there are none."""

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes; the test part is never what a teacher was trained on.

        The literature's hold-out breaks this rule for photos, and `notes` says so.
        """

    def alternative(self, modality: Modality) -> ImageSet:
        """All images of the alternative classes."""


@dataclass(frozen=True)
class DatasetRequest:
    """What the user asked of a dataset."""

    cache: Path
    """Folder for decoded images; created when needed, safe to delete."""
    argument: str | None = None
    """What followed the colon in `--dataset NAME:ARGUMENT`."""
    image_size: int | None = None
    """Wanted height and width in pixels; None leaves it to the dataset."""
    classes: tuple[str, ...] | None = None
    """Wanted benchmark classes; None leaves it to the dataset."""
    alternative_classes: tuple[str, ...] | None = None
    """Wanted alternative classes; None leaves it to the dataset."""
    root: Path | None = None
    """Data root: the folder under which published datasets lie."""
    holdout: HoldoutName = "fifth"
    """Which images of a class are its test part."""
    duplicate_photos: bool = False
    """Whether photos that a published gallery holds twice count twice."""
    skip_unreadable: bool = False
    """Leave out images that cannot be decoded (and say how many) instead of raising."""
    processes: int | None = None
    """How many processes decode at once; None for as many as there are cores."""
    alternative_only: bool = False
    """Whether only training and alternative images will be read, as alternative data of another
    dataset; one that makes its own images may make fewer of them."""


_SMALLEST = 32
"""Pixels of what is generated where nothing else decides it."""


class NoImages:
    """A `Dataset` without classes and images; something can be fitted for it, nothing scored."""

    name = "no-images"
    classes: tuple[str, ...] = ()
    alternative_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    splits: Mapping[str, ClassSplit] = {}

    def __init__(self, image_size: int | None) -> None:
        self.image_size = image_size or _SMALLEST
        self.fingerprint = f"{self.name} {self.image_size} px"

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """None."""
        del modality, part
        pixels = np.zeros((0, 3, self.image_size, self.image_size), np.uint8)
        return ImageSet(pixels, np.zeros(0, np.int64), (), ())

    def alternative(self, modality: Modality) -> ImageSet:
        """None."""
        return self.images(modality, "train")
