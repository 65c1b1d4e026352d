"""The drawn dataset: which images there are, making them once, reading them ever after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import numpy as np

from dfbench import console
from dfbench.datasets.choices import check_classes, check_unpublished
from dfbench.datasets.dataset import (
    MODALITIES,
    ClassSplit,
    DatasetRequest,
    ImageSet,
    Modality,
    Part,
)
from dfbench.datasets.pack import Contents, Images, Pack, opened
from dfbench.datasets.resizing import resized
from dfbench.datasets.shapes.draws import Draws
from dfbench.datasets.shapes.figures import ALTERNATIVE, BENCHMARK, FIGURES
from dfbench.datasets.shapes.photo import PhotoStyle, photo
from dfbench.datasets.shapes.raster import SIZE
from dfbench.datasets.shapes.sketch import SketchStyle, sketch
from dfbench.errors import DfbenchError, InvalidInput, unknown_name

VERSION = 1
"""Raised whenever a pixel changes."""
CHECKSUM = "2a0d44d45f62ccdaf6a7e963c6cd4b26"
"""BLAKE2 of every image of the default classes, the same wherever they are made."""

COUNTS: Mapping[Modality, Mapping[str, int]] = {
    "photo": {"train": 400, "test": 200, "alternative": 300},
    "sketch": {"train": 400, "test": 100, "alternative": 300},
}
"""Images a class. Alternative images are the first of the training part."""


def open_shapes(request: DatasetRequest) -> Shapes:
    """Open the drawn dataset, making its images first if the cache does not hold them.

    Twenty benchmark and ten alternative classes, 32 x 32 px; a class has 400 training and 200
    test photos, 400 training and 100 test sketches, or 300 of each as an alternative class.
    `request.classes` and `request.alternative_classes` choose among all thirty; with another
    `request.image_size` the drawn images are resized to it (bicubic).

    Raises `UnknownName` for a class that is not drawn, `InvalidInput` for an option of published
    datasets, for fewer than two classes and for a class wanted as benchmark and alternative.
    """
    _check_options(request)
    classes = _chosen(request.classes, BENCHMARK)
    rest = [name for name in ALTERNATIVE if name not in classes]
    alternative = _chosen(request.alternative_classes, rest)
    check_classes("'shapes'", classes, alternative)
    key = blake2b("/".join((*classes, "", *alternative)).encode(), digest_size=8).hexdigest()
    path = request.cache / f"shapes-v{VERSION}-{key}.pack"
    pack = opened(path, lambda: _made(classes, alternative))
    if pack.digest != CHECKSUM and (classes, alternative) == (tuple(BENCHMARK), tuple(ALTERNATIVE)):
        raise DfbenchError(
            f"'shapes' came out differently on this machine ({pack.digest}, expected {CHECKSUM}): "
            "please report it with your versions of Python and numpy"
        )
    size = request.image_size or SIZE
    if size != SIZE:
        drawn_images = pack.arrays
        pack = opened(path.with_suffix(f".{size}.pack"), lambda: _resized(drawn_images, size))
    return Shapes(classes, alternative, pack, size)


class Shapes:
    """The drawn dataset, images memory-mapped; a `Dataset`."""

    name = "shapes"
    splits: Mapping[str, ClassSplit] = {}

    def __init__(
        self, classes: tuple[str, ...], alternative: tuple[str, ...], pack: Pack, size: int = SIZE
    ) -> None:
        self.image_size = size
        self.notes = () if size == SIZE else (f"drawn at {SIZE} px, resized to {size} px",)
        self.classes = classes
        self.alternative_classes = alternative
        self._pack = pack
        text = "/".join(("shapes", str(VERSION), *classes, "", *alternative, pack.digest))
        self.fingerprint = blake2b(text.encode(), digest_size=16).hexdigest()

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes, those of a class side by side."""
        return self._set(modality, part, self.classes)

    def alternative(self, modality: Modality) -> ImageSet:
        """Images of the alternative classes."""
        return self._set(modality, "alternative", self.alternative_classes)

    def _set(self, modality: Modality, part: str, classes: tuple[str, ...]) -> ImageSet:
        count = COUNTS[modality][part]
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), count)
        names = tuple(f"{modality}/{part}/{name}/{i:03}" for name in classes for i in range(count))
        return ImageSet(self._pack.arrays[f"{modality}-{part}"], labels, classes, names)


def drawn(name: str, modality: Modality, part: Part, index: int) -> Images:
    """One image, `[C, SIZE, SIZE]`; no other image depends on it, nor it on any other."""
    draws = Draws("shapes", VERSION, name, modality, part, index)
    if modality == "photo":
        return photo(FIGURES[name], draws, PhotoStyle())
    return sketch(FIGURES[name], draws, SketchStyle())


def _made(classes: tuple[str, ...], alternative: tuple[str, ...]) -> Contents:
    plan: list[tuple[Modality, str, Part, tuple[str, ...]]] = []
    for modality in MODALITIES:
        plan.append((modality, "train", "train", classes))
        plan.append((modality, "test", "test", classes))
        plan.append((modality, "alternative", "train", alternative))
    total = sum(len(names) * COUNTS[modality][role] for modality, role, _, names in plan)
    arrays = {}
    with console.progress("drawing shapes", total) as advance:
        for modality, role, part, names in plan:
            count = COUNTS[modality][role]
            channels = 3 if modality == "photo" else 1
            images = np.empty((len(names) * count, channels, SIZE, SIZE), np.uint8)
            for row, name in enumerate(names):
                for index in range(count):
                    images[row * count + index] = drawn(name, modality, part, index)
                advance(count)
            arrays[f"{modality}-{role}"] = images
    return Contents(arrays, {"classes": classes, "alternative": alternative})


def _resized(arrays: Mapping[str, Images], size: int) -> Contents:
    return Contents({name: resized(images, size) for name, images in arrays.items()}, {})


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
        raise InvalidInput(f"dataset 'shapes' takes no argument, got {request.argument!r}: drop it")
    check_unpublished("'shapes'", request)
    if request.image_size is not None and request.image_size < 1:
        raise InvalidInput(
            f"image size {request.image_size}: give a number of pixels, such as {SIZE} or 64"
        )
