"""The images of a folder: their order, their division into parts, their decoding."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dfbench import console
from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.datasets.decoding import UnreadableImageError, decoded
from dfbench.datasets.pack import Contents, Images
from dfbench.datasets.split import A_FIFTH, Holdout, held_out
from dfbench.errors import InvalidInput

Role = Literal["train", "test", "alternative"]
ROLES: tuple[Role, ...] = ("train", "test", "alternative")


@dataclass(frozen=True)
class Item:
    """One image file."""

    file: Path
    digest: str
    """Hash of the file's bytes."""
    twin: str | None = None
    """Hash of the photo that this one is another copy of, which it is never divided from."""

    @property
    def group(self) -> str:
        """The same for images that show the same."""
        return self.twin or self.digest


@dataclass(frozen=True)
class FolderImages:
    """All images in use."""

    root: Path
    benchmark: tuple[str, ...]
    alternative: tuple[str, ...]
    items: Mapping[tuple[Modality, str], tuple[Item, ...]]
    """By modality and class, in the order of their hashes: renaming a file does not move it."""
    size: int
    """Pixels to a side, once decoded."""
    holdout: Holdout = A_FIFTH

    def without(self, digests: Collection[str]) -> FolderImages:
        """The same, less the images of these hashes."""
        gone = set(digests)
        kept = {
            place: tuple(item for item in items if item.digest not in gone)
            for place, items in self.items.items()
        }
        return replace(self, items=kept)

    def contents(self) -> list[object]:
        """All that decides what is seen, as JSON; free of paths and file names."""
        rows = [
            [modality, name, [item.digest for item in items]]
            for (modality, name), items in sorted(self.items.items())
        ]
        twins = {
            item.digest: item.twin for group in self.items.values() for item in group if item.twin
        }
        division: list[object] = [] if self.holdout == A_FIFTH else [astuple(self.holdout)]
        division += [sorted(twins.items())] if twins else []
        return [self.size, self.benchmark, self.alternative, rows, *division]

    def stored_as(self, modality: Modality, role: Role) -> Role:
        """The part whose array holds this one: where all photos are gallery, the test part."""
        shared = self.holdout.whole_gallery and modality == "photo" and role == "train"
        return "test" if shared else role

    def role(self, modality: Modality, role: Role) -> list[tuple[str, Item]]:
        """Class and image of one part, in order. Raises `InvalidInput` for a class too small."""
        classes = self.alternative if role == "alternative" else self.benchmark
        return [(name, item) for name in classes for item in self._chosen(modality, name, role)]

    def _chosen(self, modality: Modality, name: str, role: Role) -> list[Item]:
        items = self.items[modality, name]
        whole = self.holdout.whole_gallery and modality == "photo"
        if (role == "alternative" or whole) and items:
            return list(items)
        wanted = self.holdout.queries if modality == "sketch" else None
        test = held_out([item.group for item in items], wanted)
        if test is None:
            least = "two different ones are" if wanted is None else f"{wanted + 1} are"
            raise InvalidInput(
                f"class {name!r} has too few different readable images in {modality}/ to hold out "
                f"a test part ({len(items)} files; {least} the least): "
                "add some, or leave the class out with --classes"
            )
        return [item for item in items if (item.group in test) == (role == "test")]


def packed(images: FolderImages, *, skip_unreadable: bool) -> Contents:
    """All images decoded, an array for each modality and part; `meta` lists unreadable hashes.

    An array has one channel where all images of its modality are grey. Raises `InvalidInput` at
    the first image that cannot be decoded unless `skip_unreadable`.
    """
    arrays: dict[str, Images] = {}
    unreadable: list[str] = []
    total = sum(len(items) for items in images.items.values())
    with console.progress("decoding images", total) as advance:
        for modality in MODALITIES:
            pixels: dict[str, Images] = {}
            for place, items in images.items.items():
                for item in items if place[0] == modality else ():
                    try:
                        pixels[item.digest] = decoded(item.file, images.size)
                    except UnreadableImageError as fault:
                        if not skip_unreadable:
                            raise unreadable_image(item.file, fault) from fault
                        unreadable.append(item.digest)
                    advance(1)
            arrays |= _arrays(images.without(unreadable), modality, pixels)
    return Contents(arrays, {"unreadable": sorted(set(unreadable))})


def unreadable_image(file: Path, reason: object) -> InvalidInput:
    """The error for an image file that cannot be used."""
    return InvalidInput(
        f"cannot read image '{file}' ({reason}): "
        "mend or remove it, or leave such files out with --skip-unreadable"
    )


def _arrays(
    images: FolderImages, modality: Modality, pixels: Mapping[str, Images]
) -> dict[str, Images]:
    grey = all(
        np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2])
        for image in pixels.values()
    )
    channels = 1 if grey else 3
    arrays = {}
    for role in ROLES:
        if images.stored_as(modality, role) != role:
            continue
        rows = images.role(modality, role)
        array = np.empty((len(rows), channels, images.size, images.size), np.uint8)
        for row, (_, item) in enumerate(rows):
            array[row] = pixels[item.digest][:channels]
        arrays[f"{modality}-{role}"] = array
    return arrays
