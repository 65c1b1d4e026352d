"""The dataset protocol: images by modality, class and part; and checks of its options."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dfbench.class_names import encodable
from dfbench.datasets.split import HoldoutName
from dfbench.errors import InvalidInput
from dfbench.modality import Modality

Images = NDArray[np.uint8]


class ImageArray(Protocol):
    """Images uint8 `[N, C, H, W]`: a NumPy array, or an array-like object read from disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, rows: Any, /) -> Images:
        """Images at an index, a slice, or an array of indices or booleans."""


class LazyImages:
    """An `ImageArray` whose images `read` loads by index, into new memory each time."""

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
            raise ValueError("images on disk cannot be converted to an array without copying")
        return self[:].astype(dtype or np.uint8, copy=False)


def joined(parts: Sequence[tuple[ImageArray, NDArray[np.int64]]]) -> ImageArray:
    """Selected images of several arrays, concatenated and read lazily.

    Grey images get three channels if any array has three.
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
    """`[N, C, H, W]`, in memory or read from disk by row; C is 1 if all images are grey."""
    labels: NDArray[np.int64]
    """`[N]`, indices into `classes`."""
    classes: tuple[str, ...]
    """Class names, sorted, so that class indices do not depend on folder order."""
    names: tuple[str, ...]
    """`[N]`, unique within the set (for an image folder, the path relative to it)."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ClassSplit:
    """A published class split of a dataset for zero-shot retrieval."""

    name: str
    """Its name in scenarios, e.g. `S25-SAKE`."""
    seen: tuple[str, ...]
    """Sorted; the classes that teachers and students may learn."""
    unseen: tuple[str, ...]
    """Sorted, disjoint from `seen`; the classes of queries and gallery."""
    source: str
    """Publication and file that define it."""
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
        """Benchmark classes, sorted: the classes of teachers, queries and gallery."""

    @property
    def alternative_classes(self) -> tuple[str, ...]:
        """Spare classes, sorted and disjoint from `classes`; empty if there are none."""

    @property
    def image_size(self) -> int:
        """Height and width in pixels of every image."""

    @property
    def fingerprint(self) -> str:
        """Hex digest of all images, classes and the split; equal if and only if these are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, one line each: a class list applied, unreadable files left out."""

    @property
    def splits(self) -> Mapping[str, ClassSplit]:
        """Published splits of exactly these classes, by name; empty if there are none."""

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes; no teacher is trained on the test part.

        The exception is the hold-out of the literature, whose gallery contains the photos that
        the photo teacher is trained on; `notes` then says so.
        """

    def alternative(self, modality: Modality) -> ImageSet:
        """All images of the alternative classes."""


@dataclass(frozen=True)
class DatasetRequest:
    """The user's options for opening a dataset."""

    cache: Path
    """Folder for decoded images; created when needed, safe to delete."""
    argument: str | None = None
    """The argument after the colon in `--dataset NAME:ARGUMENT`."""
    image_size: int | None = None
    """Height and width in pixels; None for the dataset's default."""
    classes: tuple[str, ...] | None = None
    """Benchmark classes; None for the dataset's default."""
    alternative_classes: tuple[str, ...] | None = None
    """Alternative classes; None for the dataset's default."""
    root: Path | None = None
    """Data root: the folder that contains the published datasets."""
    holdout: HoldoutName = "fifth"
    """Rule that chooses the test part of each class."""
    duplicate_photos: bool = False
    """Whether photos that occur twice in a published gallery count twice."""
    skip_unreadable: bool = False
    """Leave out images that cannot be decoded (and report how many) instead of raising."""
    processes: int | None = None
    """Number of decoding processes; None for one per core."""
    alternative_only: bool = False
    """Whether only training and alternative images will be read, as alternative data for another
    dataset; a dataset that generates its images may then generate fewer."""


_SMALLEST = 32
"""Default size of generated images in pixels."""


class NoImages:
    """A `Dataset` without classes or images: methods can be fitted for it but not evaluated."""

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


def check_classes(title: str, benchmark: Collection[str], alternative: Collection[str]) -> None:
    """Raise `InvalidInput` for a class in both lists, and for fewer than two benchmark classes."""
    both = sorted({*benchmark} & {*alternative})
    if both:
        raise InvalidInput(
            f"class {both[0]!r} is both a benchmark and an alternative class: "
            "leave it out of one of the two"
        )
    if len(benchmark) < 2:
        raise InvalidInput(
            f"{len(benchmark)} benchmark classes of {title}: a classifier needs two or more "
            "(see: --classes)"
        )


def check_place(folder: Path) -> None:
    """Raise `InvalidInput` for a path that cannot be recorded in a run's files."""
    if not encodable(str(folder.absolute())):
        raise InvalidInput(
            f"the path {str(folder.absolute())!a} is not UTF-8, so runs cannot record it: "
            "rename the folder, or use a symbolic link to it"
        )


def check_unpublished(title: str, request: DatasetRequest) -> None:
    """Raise `InvalidInput` for an option that applies to published datasets only."""
    if request.holdout != "fifth" or request.duplicate_photos:
        option = (
            "--duplicate-photos" if request.duplicate_photos else f"--holdout {request.holdout}"
        )
        raise InvalidInput(
            f"{option} does not apply to {title}, only to published datasets; remove the option"
        )
