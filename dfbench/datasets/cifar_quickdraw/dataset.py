"""CIFAR-10 photos and Quick, Draw! drawings as a dataset of nine classes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from dfbench.class_names import meaning
from dfbench.datasets.cifar_quickdraw.fetching import guide, missing
from dfbench.datasets.cifar_quickdraw.files import Photos, drawings, photos
from dfbench.datasets.cifar_quickdraw.source import (
    NAME,
    SIDE,
    PublishedSource,
    home_folder,
    published,
)
from dfbench.datasets.dataset import (
    ClassSplit,
    DatasetRequest,
    ImageSet,
    Part,
    check_classes,
    check_unpublished,
)
from dfbench.datasets.images.decoding import resized
from dfbench.datasets.images.pack import Contents, Images, Pack, opened
from dfbench.datasets.split import held_out
from dfbench.errors import InvalidInput, unknown_name
from dfbench.modality import Modality

SIZE = 32
"""Height and width of photos in pixels; the 28 px drawings get a white margin."""
Rows = dict[str, list[int]]
"""Indices of each class's images in the published order."""


def divided(
    photos: tuple[Photos, Photos],
    labels: Mapping[str, int],
    ink: Mapping[str, Images],
    benchmark: tuple[str, ...],
    alternative: tuple[str, ...],
) -> Contents:
    """One array of photos or sketches per part; `meta` has the image indices of each class.

    `photos` are the training and the test part of CIFAR-10, numbered consecutively, `labels` the
    CIFAR-10 labels of the classes and `ink` the drawings `[N, 28, 28]` of each class. Training
    photos that are also test photos are left out; equal drawings stay in the same part.
    """
    train, test = photos
    start = len(train.images)
    known = {image.tobytes() for image in test.images}
    twin = np.array([image.tobytes() in known for image in train.images], dtype=bool)
    every = np.concatenate([train.images, test.images])
    rows: dict[str, Rows] = {}
    for role, names in (("train", benchmark), ("test", benchmark), ("alternative", alternative)):
        rows[f"photo-{role}"], rows[f"sketch-{role}"] = {}, {}
        for name in names:
            learnt = np.flatnonzero((train.labels == labels[name]) & ~twin)
            asked = np.flatnonzero(test.labels == labels[name]) + start
            chosen = {"train": learnt, "test": asked, "alternative": np.append(learnt, asked)}
            rows[f"photo-{role}"][name] = chosen[role].tolist()
            rows[f"sketch-{role}"][name] = _drawings(ink[name], role)
    arrays = {
        part: _photos(every, chosen) if part.startswith("photo") else _sketches(ink, chosen)
        for part, chosen in rows.items()
    }
    left_out = sum(int((twin & (train.labels == number)).sum()) for number in labels.values())
    return Contents(arrays, {"rows": rows, "twins": left_out})


def _drawings(ink: Images, role: str) -> list[int]:
    digests = [blake2b(drawing.tobytes(), digest_size=16).hexdigest() for drawing in ink]
    test = held_out(digests)
    if test is None:
        raise InvalidInput("all drawings of a category are identical: fetch its file again")
    return [
        row
        for row, digest in enumerate(digests)
        if role == "alternative" or (digest in test) == (role == "test")
    ]


def _photos(every: Images, rows: Rows) -> Images:
    return every[[row for chosen in rows.values() for row in chosen]]


def _sketches(ink: Mapping[str, Images], rows: Rows) -> Images:
    """Drawings in black on white, with a white margin instead of resizing, which blurs strokes."""
    margin = (SIZE - SIDE) // 2
    pages: NDArray[np.uint8] = np.full((sum(map(len, rows.values())), 1, SIZE, SIZE), 255, np.uint8)
    start = 0
    for name, chosen in rows.items():
        page = pages[start : start + len(chosen), 0]
        page[:, margin : margin + SIDE, margin : margin + SIDE] = 255 - ink[name][chosen]
        start += len(chosen)
    return pages


_VERSION = 1
"""Increased whenever a pixel or the split may change."""
_Classes = tuple[str, ...]


def open_cifar_quickdraw(request: DatasetRequest) -> CifarQuickdraw:
    """Open the files downloaded by `dfbench data fetch cifar-quickdraw` or added manually.

    Each of the nine classes has 6,000 photos, of which CIFAR-10's test batch, 1,000 per class, is
    held out (so that a classifier trained on CIFAR-10 has not seen the gallery), and the first
    5,000 drawings of its category, of which a fifth is held out by content. Drawings are black on
    white. Images are resized (bicubic) if `request.image_size` is not 32 px. `request.classes` and
    `request.alternative_classes` select from the nine; by default there are no alternative classes.

    Raises `InvalidInput` for missing or damaged files, with the command that fetches them, for an
    option of published datasets and for an invalid choice of classes; `UnknownName` for an unknown
    class.
    """
    return opened_from(published(), request)


def opened_from(source: PublishedSource, request: DatasetRequest) -> CifarQuickdraw:
    """The same dataset, from the files that `source` describes."""
    classes, alternative = chosen_classes(source, request)
    size = SIZE if request.image_size is None else request.image_size
    if size < 1:
        raise InvalidInput(f"image size {size}; allowed: a number of pixels, such as {SIZE} or 64")
    home = home_folder(request.root, request.cache)
    _check_there(source, home, request)
    pack = _packed(source, home, request.cache, (classes, alternative), size)
    return CifarQuickdraw(classes, alternative, pack, size)


class CifarQuickdraw:
    """A `Dataset` of memory-mapped photos and drawings."""

    name = NAME
    splits: Mapping[str, ClassSplit] = {}

    def __init__(self, classes: _Classes, alternative: _Classes, pack: Pack, size: int) -> None:
        self.classes = classes
        self.alternative_classes = alternative
        self.image_size = size
        self.notes: tuple[str, ...] = (
            "photos: CIFAR-10, its own test batch held out; sketches: the first drawings of "
            "Quick, Draw! (Google, CC BY 4.0), a fifth held out",
        )
        twins = pack.meta["twins"]
        if twins:
            self.notes += (f"{twins} training photos left out because they are also test photos",)
        text = "/".join((NAME, str(_VERSION), str(size), *classes, "", *alternative, pack.digest))
        self.fingerprint = blake2b(text.encode(), digest_size=16).hexdigest()
        self._pack = pack

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes, grouped by class."""
        return self._set(modality, part, self.classes)

    def alternative(self, modality: Modality) -> ImageSet:
        """All images of the alternative classes."""
        return self._set(modality, "alternative", self.alternative_classes)

    def _set(self, modality: Modality, role: str, classes: _Classes) -> ImageSet:
        rows: Rows = self._pack.meta["rows"][f"{modality}-{role}"]
        counts = [len(rows[name]) for name in classes]
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), counts)
        names = tuple(f"{modality}/{name}/{row:05}" for name in classes for row in rows[name])
        return ImageSet(self._pack.arrays[f"{modality}-{role}"], labels, classes, names)


def _packed(
    source: PublishedSource, home: Path, cache: Path, chosen: tuple[_Classes, _Classes], size: int
) -> Pack:
    """The images of the benchmark and alternative classes, cached."""
    names = (*chosen[0], *chosen[1])
    ink = {name: drawings(source, source.shared(name), home) for name in names}
    key = blake2b(repr((_VERSION, chosen, source.photos.md5)).encode(), digest_size=16)
    for name in names:
        key.update(np.ascontiguousarray(ink[name]).data)
    path = cache / f"{NAME}-{key.hexdigest()}.pack"
    labels = {name: source.shared(name).label for name in names}
    pack = opened(path, lambda: divided(photos(source, home), labels, ink, *chosen))
    if size == SIZE:
        return pack
    return opened(
        path.with_suffix(f".{size}.pack"),
        lambda: Contents({part: resized(a, size) for part, a in pack.arrays.items()}, pack.meta),
    )


def chosen_classes(source: PublishedSource, request: DatasetRequest) -> tuple[_Classes, _Classes]:
    """The requested benchmark and alternative classes, each sorted.

    Raises `InvalidInput` for an option of published datasets and for an invalid choice of classes,
    `UnknownName` for an unknown class.
    """
    check_unpublished(f"'{NAME}'", request)
    alternative = _named(source, request.alternative_classes or ())
    if request.classes == ("all",):
        classes = source.names
    elif request.classes is None:
        classes = tuple(name for name in source.names if name not in alternative)
    else:
        classes = _named(source, request.classes)
    check_classes(f"'{NAME}'", classes, alternative)
    return classes, alternative


def _named(source: PublishedSource, names: tuple[str, ...]) -> _Classes:
    """The classes that a user names, sorted; `car` stands for `automobile`."""
    known = {meaning(name): name for name in source.names}
    for name in names:
        if meaning(name) not in known:
            raise unknown_name(f"class of {NAME}", name, source.names, "--classes")
    return tuple(sorted({known[meaning(name)] for name in names}))


def _check_there(source: PublishedSource, home: Path, request: DatasetRequest) -> None:
    absent = missing(source, home)
    if absent:
        titles = ", ".join(piece.title for piece in absent[:3]) + (", ..." if absent[3:] else "")
        raise InvalidInput(
            f"dataset '{NAME}' is not available: {titles} missing in '{home}'\n"
            + "\n".join(guide(source, home, fetch_command(request)))
        )


def fetch_command(request: DatasetRequest) -> str:
    """The command that downloads the data to the folder used by this request."""
    if request.root is not None:
        return f"dfbench data fetch {NAME} --data-root {quote(str(request.root))}"
    return f"dfbench data fetch {NAME} --cache {quote(str(request.cache.parent))}"
