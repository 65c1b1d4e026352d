"""A dataset of image files: hashing, splitting and decoding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.class_names import encodable
from dfbench.datasets.dataset import (
    ClassSplit,
    DatasetRequest,
    ImageArray,
    Images,
    ImageSet,
    LazyImages,
    Part,
)
from dfbench.datasets.images.cache import DecodedImages
from dfbench.datasets.images.decoding import READER, longest_side
from dfbench.datasets.images.decoding import VERSION as DECODING
from dfbench.datasets.images.files import Digests, file_digests
from dfbench.datasets.images.files import closed as why_closed
from dfbench.datasets.images.items import FolderImages, ImageFile, Role
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.datasets.split import A_FIFTH, Holdout
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES, Modality
from dfbench.system.machine import available_cores

_SMALL, _LARGE = 32, 64
_IN_MEMORY = 64
"""Largest image size in pixels at which an image set is held in memory."""
_Items = Mapping[tuple[Modality, str], tuple[ImageFile, ...]]


@dataclass(frozen=True)
class FileCollection:
    """Image files to open as a dataset."""

    name: str
    """The dataset's name."""
    root: Path
    """Folder that contains all files."""
    files: Mapping[tuple[Modality, str], Sequence[Path]]
    """By modality and class, for all benchmark and alternative classes."""
    benchmark: tuple[str, ...]
    alternative: tuple[str, ...] = ()
    holdout: Holdout = A_FIFTH
    twins: bool = False
    """Whether files with the same class and name are copies that all count (and stay in the same
    part); otherwise such files count once if their bytes are equal."""
    notes: tuple[str, ...] = ()
    splits: Mapping[str, ClassSplit] = field(default_factory=dict)


def open_files(collection: FileCollection, request: DatasetRequest) -> DecodedFiles:
    """Open image files as a dataset, decoding images that are not in the cache.

    Images are resized to `request.image_size`; by default to 32 px if the first image (by hash) of
    every class is no larger than that, else to 64 px.

    Raises `InvalidInput` for a class too small to split and, after decoding all others, for images
    that cannot be decoded (unless `request.skip_unreadable`); `FileFault` if the cache cannot be
    written to.
    """
    items, notes, missing = _items(collection, request)
    size = _fitting(items) if request.image_size is None else request.image_size
    if size < 1:
        raise InvalidInput(f"image size {size}; allowed: a number of pixels, such as 32 or 64")
    images = FolderImages(
        collection.root,
        collection.benchmark,
        collection.alternative,
        items,
        size,
        collection.holdout,
    )
    decoded = DecodedImages(
        request.cache / f"folder-{_place(collection.root)}-{size}px-v{READER}",
        size,
        images.files(),
        request.processes or available_cores(),
    )
    unreadable = decoded.unreadable
    if unreadable and not request.skip_unreadable:
        raise _unreadable_images(images.files(), unreadable)
    readable = images.without(unreadable)
    left_out = missing + _count(images) - _count(readable)
    notes += (f"{left_out} unreadable image files left out",) if left_out else ()
    return DecodedFiles(collection, readable, decoded, collection.notes + notes)


class DecodedFiles:
    """A `Dataset` of decoded image files.

    A set of images of at most 64 px is read into memory on first access. Larger images are read on
    demand: memory then holds the current batch and, while reading it, at most one chunk of the
    cache (32 MiB), regardless of the size of the dataset.
    """

    def __init__(
        self,
        collection: FileCollection,
        images: FolderImages,
        decoded: DecodedImages,
        notes: tuple[str, ...],
    ) -> None:
        self.name = collection.name
        self.splits = collection.splits
        self.classes = images.benchmark
        self.alternative_classes = images.alternative
        self.image_size = images.size
        self.notes = notes
        held_out = [
            [item.digest for _, item in images.role(modality, "test")] for modality in MODALITIES
        ]
        self.fingerprint = _digest("folder", DECODING, images.contents(), held_out)
        self._images = images
        self._decoded = decoded
        self._channels = {
            modality: decoded.channels(images.digests(modality)) for modality in MODALITIES
        }
        self._sets: dict[tuple[Modality, Role], ImageSet] = {}
        self._arrays: dict[tuple[Modality, tuple[str, ...]], ImageArray] = {}

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes, by class, then by hash."""
        return self._set(modality, part, self.classes)

    def alternative(self, modality: Modality) -> ImageSet:
        """All images of the alternative classes, by class, then by hash."""
        return self._set(modality, "alternative", self.alternative_classes)

    def _set(self, modality: Modality, role: Role, classes: tuple[str, ...]) -> ImageSet:
        if (modality, role) not in self._sets:
            self._sets[modality, role] = self._new_set(modality, role, classes)
        return self._sets[modality, role]

    def _new_set(self, modality: Modality, role: Role, classes: tuple[str, ...]) -> ImageSet:
        rows = self._images.role(modality, role)
        index = {name: label for label, name in enumerate(classes)}
        root = self._images.root
        return ImageSet(
            self._array(modality, tuple(item.digest for _, item in rows)),
            np.array([index[name] for name, _ in rows], dtype=np.int64),
            classes,
            tuple(item.file.relative_to(root).as_posix() for _, item in rows),
        )

    def _array(self, modality: Modality, digests: tuple[str, ...]) -> ImageArray:
        # If every photo is in the gallery, training and test part share one array.
        if (modality, digests) not in self._arrays:
            self._arrays[modality, digests] = self._pixels(digests, self._channels[modality])
        return self._arrays[modality, digests]

    def _pixels(self, digests: Sequence[str], channels: int) -> ImageArray:
        @cache
        def whole() -> Images:
            return self._decoded.read(digests, channels)

        def some(rows: NDArray[np.int64]) -> Images:
            if self.image_size <= _IN_MEMORY:
                return whole()[rows]
            return self._decoded.read([digests[row] for row in rows], channels)

        return LazyImages((len(digests), channels, self.image_size, self.image_size), some)


def _items(
    collection: FileCollection, request: DatasetRequest
) -> tuple[_Items, tuple[str, ...], int]:
    """All files by hash, notes, and the number of files that cannot be opened."""
    root = collection.root
    every = [file for group in collection.files.values() for file in group]
    digests = file_digests(every, root, request.cache / f"folder-{_place(root)}.json")
    digests |= {file: None for file in every if not encodable(str(file))}
    shut = [file for file, digest in digests.items() if digest is None]
    if shut and not request.skip_unreadable:
        reason = why_closed(shut[0]) or "cannot be opened"
        raise _unreadable_image(shut[0], reason, len(shut) - 1)
    merge = _with_twins if collection.twins else _without_copies
    items = {
        where: tuple(sorted(merge(group, digests), key=_by_hash))
        for where, group in collection.files.items()
    }
    double = len(every) - len(shut) - sum(len(group) for group in items.values())
    notes = (f"{double} duplicate files in two folders counted once",) if double else ()
    return items, notes, len(shut)


def _without_copies(files: Sequence[Path], digests: Digests) -> list[ImageFile]:
    kept: dict[tuple[str, str], ImageFile] = {}
    for file in files:
        digest = digests[file]
        if digest:
            kept.setdefault((file.name, digest), ImageFile(file, digest))
    return list(kept.values())


def _with_twins(files: Sequence[Path], digests: Digests) -> list[ImageFile]:
    first: dict[str, str] = {}
    items = []
    for file in files:
        digest = digests[file]
        if digest:
            original = first.setdefault(file.stem, digest)
            items.append(ImageFile(file, digest, None if original == digest else original))
    return items


def _by_hash(item: ImageFile) -> tuple[str, str]:
    return item.digest, item.file.name


def _fitting(items: _Items) -> int:
    """32 or 64 px, depending on one image per class: the first by hash that can be opened."""
    for group in items.values():
        for item in group:
            with suppress(UnreadableImageError):
                if longest_side(item.file) > _SMALL:
                    return _LARGE
                break
    return _SMALL


def _unreadable_images(files: Mapping[str, Path], reasons: Mapping[str, str]) -> InvalidInput:
    digest, reason = next(iter(reasons.items()))
    return _unreadable_image(files[digest], reason, len(reasons) - 1)


def _unreadable_image(file: Path, reason: str, more: int) -> InvalidInput:
    others = f", nor {more} others" if more else ""
    return InvalidInput(
        f"cannot read image '{file}' ({reason}){others}: "
        "repair or remove it, or skip unreadable files with --skip-unreadable"
    )


def _place(root: Path) -> str:
    """The name of a folder in the cache."""
    return blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()


def _count(images: FolderImages) -> int:
    return sum(len(group) for group in images.items.values())


def _digest(*parts: object) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
