"""Anybody's images: `PATH/photo/<class>/*` and `PATH/sketch/<class>/*`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np

from dfbench.datasets.contents import file_digests
from dfbench.datasets.dataset import MODALITIES, DatasetRequest, ImageSet, Modality, Part
from dfbench.datasets.decoding import VERSION as DECODING
from dfbench.datasets.decoding import UnreadableImageError, longest_side
from dfbench.datasets.folder_classes import Selection, selected
from dfbench.datasets.folder_images import FolderImages, Item, Role, packed, unreadable_image
from dfbench.datasets.folder_layout import class_folders, image_files
from dfbench.datasets.pack import Pack, opened
from dfbench.errors import InvalidInput

_SMALL, _LARGE = 32, 64
_Items = Mapping[tuple[Modality, str], tuple[Item, ...]]


def open_folder(request: DatasetRequest) -> Folder:
    """Open the images in `request.argument`, decoding them first if the cache does not hold them.

    Images of any size and any format Pillow reads; hidden files and files without an image suffix
    are ignored. A fifth of each class is the test part, chosen by contents (see `split.held_out`).
    Images are resized to `request.image_size`; without one, to 32 px if the first image (by hash)
    of every class is at most that large, else to 64 px.

    Raises `InvalidInput` for a folder that is missing, empty or too small, for classes that do
    not fit together, and, unless `request.skip_unreadable`, for an image that cannot be decoded;
    `UnknownName` for a class that is not there; `DiskFull` if the cache has no room.
    """
    if not request.argument:
        raise InvalidInput("dataset 'folder' needs a path: --dataset folder:PATH")
    root = Path(request.argument).expanduser()
    selection = selected(class_folders(root), request)
    items, missing = _items(root, selection, request)
    size = _fitting(items) if request.image_size is None else request.image_size
    if size < 1:
        raise InvalidInput(f"image size {size}: give a number of pixels, such as 32 or 64")
    images = FolderImages(root, selection.benchmark, selection.alternative, items, size)
    key = _digest("pack", DECODING, images.contents(), request.skip_unreadable)
    pack = opened(
        request.cache / f"folder-{key}.pack",
        lambda: packed(images, skip_unreadable=request.skip_unreadable),
    )
    readable = images.without(pack.meta["unreadable"])
    left_out = missing + _count(images) - _count(readable)
    notes = (f"{left_out} unreadable image files left out",) if left_out else ()
    return Folder(readable, pack, selection.notes + notes)


class Folder:
    """A folder of images, decoded and memory-mapped; a `Dataset`."""

    def __init__(self, images: FolderImages, pack: Pack, notes: tuple[str, ...]) -> None:
        self.name = f"folder:{images.root.resolve().name}"
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
            self._pack.arrays[f"{modality}-{role}"],
            np.array([index[name] for name, _ in rows], dtype=np.int64),
            classes,
            tuple(item.file.relative_to(root).as_posix() for _, item in rows),
        )


def _items(root: Path, selection: Selection, request: DatasetRequest) -> tuple[_Items, int]:
    """All files of the selected classes by hash, and how many of them cannot be opened."""
    folders = class_folders(root)
    files = {
        (modality, name): image_files(folders[modality][name])
        for modality in MODALITIES
        for name in selection.benchmark + selection.alternative
    }
    every = [file for group in files.values() for file in group]
    place = blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()
    digests = file_digests(every, root, request.cache / f"folder-{place}.json")
    closed = [file for file, digest in digests.items() if digest is None]
    if closed and not request.skip_unreadable:
        raise unreadable_image(closed[0], "cannot be opened")
    items = {
        where: tuple(
            sorted(
                (Item(file, digests[file] or "") for file in group if digests[file]), key=_by_hash
            )
        )
        for where, group in files.items()
    }
    return items, len(closed)


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
