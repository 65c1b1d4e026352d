"""Image files as a dataset: hashed, divided, decoded once, memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from dfbench.datasets.contents import Digests, file_digests
from dfbench.datasets.dataset import (
    MODALITIES,
    ClassSplit,
    DatasetRequest,
    ImageSet,
    Modality,
    Part,
)
from dfbench.datasets.decoding import VERSION as DECODING
from dfbench.datasets.decoding import UnreadableImageError, longest_side
from dfbench.datasets.folder_images import FolderImages, Item, Role, packed, unreadable_image
from dfbench.datasets.pack import Pack, opened
from dfbench.datasets.split import A_FIFTH, Holdout
from dfbench.errors import InvalidInput

_SMALL, _LARGE = 32, 64
_Items = Mapping[tuple[Modality, str], tuple[Item, ...]]


@dataclass(frozen=True)
class FileCollection:
    """Image files that are to become a dataset."""

    name: str
    """The dataset's name."""
    root: Path
    """Folder that all files lie under."""
    files: Mapping[tuple[Modality, str], Sequence[Path]]
    """By modality and class, for every class of both lists below."""
    benchmark: tuple[str, ...]
    alternative: tuple[str, ...] = ()
    holdout: Holdout = A_FIFTH
    twins: bool = False
    """Whether files of one class and one name are copies that both count (and are never divided);
    otherwise such files count once if their bytes are equal."""
    notes: tuple[str, ...] = ()
    splits: Mapping[str, ClassSplit] = field(default_factory=dict)


def open_files(collection: FileCollection, request: DatasetRequest) -> DecodedFiles:
    """Open image files as a dataset, decoding them first if the cache does not hold them.

    Images are resized to `request.image_size`; without one, to 32 px if the first image (by hash)
    of every class is at most that large, else to 64 px.

    Raises `InvalidInput` for a class too small to divide and, unless `request.skip_unreadable`,
    for an image that cannot be decoded; `DiskFull` if the cache has no room.
    """
    items, notes, missing = _items(collection, request)
    size = _fitting(items) if request.image_size is None else request.image_size
    if size < 1:
        raise InvalidInput(f"image size {size}: give a number of pixels, such as 32 or 64")
    images = FolderImages(
        collection.root,
        collection.benchmark,
        collection.alternative,
        items,
        size,
        collection.holdout,
    )
    key = _digest("pack", DECODING, images.contents(), request.skip_unreadable)
    pack = opened(
        request.cache / f"folder-{key}.pack",
        lambda: packed(images, skip_unreadable=request.skip_unreadable),
    )
    readable = images.without(pack.meta["unreadable"])
    left_out = missing + _count(images) - _count(readable)
    notes += (f"{left_out} unreadable image files left out",) if left_out else ()
    return DecodedFiles(collection, readable, pack, collection.notes + notes)


class DecodedFiles:
    """Image files, decoded and memory-mapped; a `Dataset`."""

    def __init__(
        self, collection: FileCollection, images: FolderImages, pack: Pack, notes: tuple[str, ...]
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
        self._pack = pack

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the benchmark classes, by class, then by hash."""
        return self._set(modality, part, self.classes)

    def alternative(self, modality: Modality) -> ImageSet:
        """All images of the alternative classes, by class, then by hash."""
        return self._set(modality, "alternative", self.alternative_classes)

    def _set(self, modality: Modality, role: Role, classes: tuple[str, ...]) -> ImageSet:
        rows = self._images.role(modality, role)
        index = {name: label for label, name in enumerate(classes)}
        root = self._images.root
        return ImageSet(
            self._pack.arrays[f"{modality}-{self._images.stored_as(modality, role)}"],
            np.array([index[name] for name, _ in rows], dtype=np.int64),
            classes,
            tuple(item.file.relative_to(root).as_posix() for _, item in rows),
        )


def _items(
    collection: FileCollection, request: DatasetRequest
) -> tuple[_Items, tuple[str, ...], int]:
    """All files by hash, notes, and how many files cannot be opened."""
    root = collection.root
    every = [file for group in collection.files.values() for file in group]
    place = blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()
    digests = file_digests(every, root, request.cache / f"folder-{place}.json")
    closed = [file for file, digest in digests.items() if digest is None]
    if closed and not request.skip_unreadable:
        raise unreadable_image(closed[0], "cannot be opened")
    merge = _with_twins if collection.twins else _without_copies
    items = {
        where: tuple(sorted(merge(group, digests), key=_by_hash))
        for where, group in collection.files.items()
    }
    double = len(every) - len(closed) - sum(len(group) for group in items.values())
    notes = (f"{double} files that lie in two folders counted once",) if double else ()
    return items, notes, len(closed)


def _without_copies(files: Sequence[Path], digests: Digests) -> list[Item]:
    kept: dict[tuple[str, str], Item] = {}
    for file in files:
        digest = digests[file]
        if digest:
            kept.setdefault((file.name, digest), Item(file, digest))
    return list(kept.values())


def _with_twins(files: Sequence[Path], digests: Digests) -> list[Item]:
    first: dict[str, str] = {}
    items = []
    for file in files:
        digest = digests[file]
        if digest:
            original = first.setdefault(file.stem, digest)
            items.append(Item(file, digest, None if original == digest else original))
    return items


def _by_hash(item: Item) -> tuple[str, str]:
    return item.digest, item.file.name


def _fitting(items: _Items) -> int:
    """32 or 64 px: judged by one image a class, the first by hash that can be opened."""
    for group in items.values():
        for item in group:
            with suppress(UnreadableImageError):
                if longest_side(item.file) > _SMALL:
                    return _LARGE
                break
    return _SMALL


def _count(images: FolderImages) -> int:
    return sum(len(group) for group in images.items.values())


def _digest(*parts: object) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
