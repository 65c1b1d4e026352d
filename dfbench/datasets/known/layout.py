"""Recognition: where under a data root the class folders of a dataset lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfbench.datasets.folder_layout import is_archive, leads_nowhere
from dfbench.datasets.known.facts import Holds, KnownDataset, Place, class_key
from dfbench.errors import InvalidInput

_GENERAL = frozenset({"data", "dataset", "datasets", "raw"})
"""Names of folders that datasets are often put into."""
_DEPTH = 3
"""Folders between the data root and a dataset's own; also ends circles of links."""


@dataclass(frozen=True)
class Found:
    """A place that is there."""

    place: Place
    folders: tuple[Path, ...]
    """Those of the place's folders that exist."""


def recognised(known: KnownDataset, root: Path) -> dict[Holds, Found]:
    """The places under `root` that hold class folders of the dataset, one a kind of image.

    A kind that is nowhere is left out. Raises `InvalidInput` if one kind lies in two places.
    """
    found: dict[Holds, Found] = {}
    for candidate in _candidates(known, root):
        holds = candidate.place.holds
        if holds in found:
            raise _mixed(known, root, found[holds], candidate)
        found[holds] = candidate
    return found


def archives(known: KnownDataset, root: Path) -> list[Path]:
    """Archives that lie where the dataset's folders would."""
    return [entry for base in _bases(known, root) for entry in _entries(base) if is_archive(entry)]


def _candidates(known: KnownDataset, root: Path) -> Iterator[Found]:
    seen = set()
    for base in _bases(known, root):
        for place in known.place:
            folders = tuple(
                folder for name in place.folders if _has_classes(known, folder := base / name)
            )
            identity = (place.holds, tuple(folder.resolve() for folder in folders))
            if folders and identity not in seen:
                seen.add(identity)
                yield Found(place, folders)


def _bases(known: KnownDataset, root: Path) -> list[Path]:
    """The root, and folders below it whose name is the dataset's or a general one."""
    names = _GENERAL | {class_key(home) for home in known.homes}
    bases = level = [root]
    for _ in range(_DEPTH):
        level = [
            entry
            for base in level
            for entry in _entries(base)
            if class_key(entry.name) in names and entry.is_dir()
        ]
        bases = bases + level
    return bases


def _has_classes(known: KnownDataset, folder: Path) -> bool:
    return folder.is_dir() and any(
        known.class_of(entry.name) is not None and (entry.is_dir() or leads_nowhere(entry))
        for entry in _entries(folder)
    )


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _mixed(known: KnownDataset, root: Path, one: Found, other: Found) -> InvalidInput:
    kind = {"sketch": "sketches", "photo": "photos", "extended": "extended photos"}
    places = " and ".join(
        f"'{found.folders[0].relative_to(root)}' (layout of {found.place.layout})"
        for found in (one, other)
    )
    return InvalidInput(
        f"'{root}' holds the {kind[one.place.holds]} of {known.name} in two places: {places}: "
        "point --data-root at the one you mean, or move the other away"
    )
