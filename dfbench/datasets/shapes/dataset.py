"""The drawn dataset: its images, generated once and then read from the cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import (
    ClassSplit,
    DatasetRequest,
    ImageArray,
    Images,
    ImageSet,
    LazyImages,
    Part,
    check_classes,
    check_unpublished,
)
from dfbench.datasets.images.pack import Contents, Pack, opened
from dfbench.datasets.shapes.figures import ALTERNATIVE, BENCHMARK, FIGURES
from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.raster import SIDE
from dfbench.datasets.shapes.photo import PhotoStyle, photo
from dfbench.datasets.shapes.sketch import SketchStyle, sketch
from dfbench.errors import DfbenchError, InvalidInput, unknown_name
from dfbench.modality import MODALITIES, Modality
from dfbench.system import console

VERSION = 1
"""Increased whenever a pixel changes."""
CHECKSUM = "2a0d44d45f62ccdaf6a7e963c6cd4b26"
"""BLAKE2 of all images of the default classes at 32 px, the same on every machine."""
CHECKSUMS: Mapping[str, str] = {
    "photo-train": "be1f6548d41129e71fde38e1b0e67317",
    "photo-test": "567b03141f86d0e2605fbe2689045e8f",
    "photo-alternative": "eacc41c7d15498af5ebdd9478732b8b4",
    "sketch-train": "23239c2317b74fa23131274cfbacf390",
    "sketch-test": "b85b72f6ded5a39204abee091734a1da",
    "sketch-alternative": "daf68d686dd168c68c5a00bc22c0f1b8",
}
"""The same of each of its arrays, so that a run draws only those that it reads."""

Counts = Mapping[Modality, Mapping[str, int]]
COUNTS: Counts = {
    "photo": {"train": 400, "test": 200, "alternative": 300},
    "sketch": {"train": 400, "test": 100, "alternative": 300},
}
"""Images per class. Alternative images are the first of the training part."""
_FEW: Counts = {modality: {"train": 100, "test": 0, "alternative": 100} for modality in MODALITIES}
"""Images per class if only alternative data are needed, at sizes other than 32 px: 3,000 images
per modality."""


def open_shapes(request: DatasetRequest) -> Shapes:
    """Open the drawn dataset, generating images that are not in the cache.

    There are twenty benchmark and ten alternative classes. A benchmark class has 400 training and
    200 test photos, and 400 training and 100 test sketches; an alternative class has 300 images per
    modality. `request.classes` and `request.alternative_classes` select from all thirty. Images are
    drawn at `request.image_size` (default 32 px), with the same scenes at every size. Images of the
    default classes are generated on first access, and so are benchmark and alternative images at
    sizes other than 32 px; there, with `request.alternative_only`, every class has 100 images per
    modality and no test images.

    Raises `UnknownName` for an unknown class, `InvalidInput` for an option of published datasets,
    for fewer than two classes and for a class that is both benchmark and alternative.
    """
    _check_options(request)
    classes = _chosen(request.classes, BENCHMARK)
    rest = [name for name in ALTERNATIVE if name not in classes]
    alternative = _chosen(request.alternative_classes, rest)
    check_classes("'shapes'", classes, alternative)
    size = request.image_size or SIDE
    if size == SIDE and (classes, alternative) == (tuple(BENCHMARK), tuple(ALTERNATIVE)):
        plan = _plan(classes, alternative, COUNTS)
        parts = [_read_later([part], size, request.cache, CHECKSUMS[part.array]) for part in plan]
        arrays = {name: array for part in parts for name, array in part.items()}
        return Shapes(classes, alternative, SIDE, COUNTS, arrays, CHECKSUM)
    if size == SIDE:
        pack = _at_32_pixels(classes, alternative, request.cache)
        return Shapes(classes, alternative, SIDE, COUNTS, pack.arrays, pack.digest)
    counts = _FEW if request.alternative_only else COUNTS
    plan = _plan(classes, alternative, counts)
    arrays = {
        **_read_later([part for part in plan if part.role != "alternative"], size, request.cache),
        **_read_later([part for part in plan if part.role == "alternative"], size, request.cache),
    }
    return Shapes(classes, alternative, size, counts, arrays, f"{size} px {counts}")


class Shapes:
    """The drawn dataset; a `Dataset`."""

    name = "shapes"
    splits: Mapping[str, ClassSplit] = {}
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        classes: tuple[str, ...],
        alternative: tuple[str, ...],
        size: int,
        counts: Counts,
        arrays: Mapping[str, ImageArray],
        contents: str,
    ) -> None:
        self.image_size = size
        self.classes = classes
        self.alternative_classes = alternative
        self._counts = counts
        self._arrays = arrays
        text = "/".join(("shapes", str(VERSION), *classes, "", *alternative, contents))
        self.fingerprint = blake2b(text.encode(), digest_size=16).hexdigest()

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes, grouped by class."""
        return self._set(modality, part, self.classes)

    def alternative(self, modality: Modality) -> ImageSet:
        """Images of the alternative classes."""
        return self._set(modality, "alternative", self.alternative_classes)

    def _set(self, modality: Modality, part: str, classes: tuple[str, ...]) -> ImageSet:
        count = self._counts[modality][part]
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), count)
        names = tuple(f"{modality}/{part}/{name}/{i:03}" for name in classes for i in range(count))
        return ImageSet(self._arrays[f"{modality}-{part}"], labels, classes, names)


def drawn(name: str, modality: Modality, part: Part, index: int, size: int = SIDE) -> Images:
    """One image, `[C, size, size]`, drawn independently of all others."""
    draws = Draws("shapes", VERSION, name, modality, part, index)
    if modality == "photo":
        return photo(FIGURES[name], draws, PhotoStyle(), size)
    return sketch(FIGURES[name], draws, SketchStyle(), size)


@dataclass(frozen=True)
class _Portion:
    """Images of one modality with the same role."""

    modality: Modality
    role: str
    part: Part
    """The part in the random key of the images; alternative images use `train`."""
    names: tuple[str, ...]
    count: int
    """Images per class."""

    @property
    def array(self) -> str:
        return f"{self.modality}-{self.role}"

    def shape(self, size: int) -> tuple[int, int, int, int]:
        channels = 3 if self.modality == "photo" else 1
        return (len(self.names) * self.count, channels, size, size)


def _plan(classes: tuple[str, ...], alternative: tuple[str, ...], counts: Counts) -> list[_Portion]:
    roles: tuple[tuple[str, Part, tuple[str, ...]], ...] = (
        ("train", "train", classes),
        ("test", "test", classes),
        ("alternative", "train", alternative),
    )
    return [
        _Portion(modality, role, part, names, counts[modality][role])
        for modality in MODALITIES
        for role, part, names in roles
    ]


def _at_32_pixels(classes: tuple[str, ...], alternative: tuple[str, ...], cache: Path) -> Pack:
    """All images in one pack, whose checksum is part of the fingerprint."""
    key = blake2b("/".join((*classes, "", *alternative)).encode(), digest_size=8).hexdigest()
    plan = _plan(classes, alternative, COUNTS)
    meta = {"classes": classes, "alternative": alternative}
    path = cache / f"shapes-v{VERSION}-{key}.pack"
    return opened(path, lambda: Contents(_made(plan, SIDE), meta))


def _read_later(
    plan: Sequence[_Portion], size: int, folder: Path, checksum: str | None = None
) -> dict[str, ImageArray]:
    """The images of a plan by array, all generated on first access; they have the `checksum`."""
    key = blake2b(repr(plan).encode(), digest_size=8).hexdigest()
    path = folder / f"shapes-v{VERSION}-{key}.{size}.pack"

    @cache
    def pack() -> Pack:
        found = opened(path, lambda: Contents(_made(plan, size), {}))
        if checksum not in (None, found.digest):
            raise DfbenchError(
                f"'shapes' differs on this machine ({found.digest}, expected {checksum}): "
                "please report this with your versions of Python and numpy"
            )
        return found

    def array(portion: _Portion) -> ImageArray:
        def read(rows: NDArray[np.int64]) -> Images:
            return pack().arrays[portion.array][rows]

        return LazyImages(portion.shape(size), read)

    return {portion.array: array(portion) for portion in plan}


def _made(plan: Sequence[_Portion], size: int) -> dict[str, Images]:
    total = sum(len(portion.names) * portion.count for portion in plan)
    arrays = {}
    with console.progress("drawing shapes", total) as advance:
        for portion in plan:
            images = np.empty(portion.shape(size), np.uint8)
            for row, name in enumerate(portion.names):
                for index in range(portion.count):
                    images[row * portion.count + index] = drawn(
                        name, portion.modality, portion.part, index, size
                    )
                advance(portion.count)
            arrays[portion.array] = images
    return arrays


def _chosen(wanted: tuple[str, ...] | None, otherwise: Iterable[str]) -> tuple[str, ...]:
    if wanted is None:
        return tuple(otherwise)
    if wanted == ("all",):
        return tuple(BENCHMARK)
    for name in wanted:
        if name not in FIGURES:
            raise unknown_name("class of 'shapes'", name, FIGURES, "--classes")
    return tuple(sorted(set(wanted)))


def _check_options(request: DatasetRequest) -> None:
    if request.argument:
        raise InvalidInput(
            f"dataset 'shapes' takes no argument, got {request.argument!r}: remove it"
        )
    check_unpublished("'shapes'", request)
    if request.image_size is not None and request.image_size < 1:
        raise InvalidInput(
            f"image size {request.image_size}; allowed: a number of pixels, such as {SIDE} or 64"
        )
