"""Recognition of the layout of a data root and of its class folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dfbench.datasets.folder.layout import (
    is_archive,
    is_image_name,
    leads_nowhere,
    unpacked_name,
)
from dfbench.datasets.known.facts import Holds, KnownDataset, Place, class_key
from dfbench.errors import InvalidInput

_GENERAL = frozenset({"data", "dataset", "datasets", "raw"})
"""Common names of folders that contain datasets."""
_DEPTH = 3
"""Folder levels searched below the data root; also bounds circular links."""


@dataclass(frozen=True)
class Found:
    """A place that exists on disk."""

    place: Place
    folders: tuple[Path, ...]
    """The place's folders that exist."""


def recognised(known: KnownDataset, root: Path) -> dict[Holds, Found]:
    """The places under `root` that hold class folders of the dataset, one per kind of image.

    Missing kinds are left out. Raises `InvalidInput` if one kind is in two places.
    """
    found: dict[Holds, Found] = {}
    for candidate in _candidates(known, root):
        holds = candidate.place.holds
        if holds in found:
            raise _mixed(known, root, found[holds], candidate)
        found[holds] = candidate
    return found


def archives(known: KnownDataset, root: Path) -> list[Path]:
    """Archives in the folders searched for the dataset."""
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
    """The root, and folders below it with the dataset's name or a common one."""
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
        "point --data-root to one of them, or move the other elsewhere"
    )


Kind = Literal[
    "missing file",
    "missing class",
    "empty class",
    "two folders of one class",
    "link that leads nowhere",
    "archive",
    "unknown folder",
    "ignored files",
    "listed but missing",
    "short of the published count",
    "unreadable",
    "no checksum",
    "duplicates",
]


@dataclass(frozen=True)
class Problem:
    """A problem with a data root."""

    kind: Kind
    text: str
    """One line: the problem, its location and, if there is one, the remedy."""
    spoils: bool
    """Whether images would be lost or mixed up, so that the dataset cannot be opened."""


@dataclass
class ClassFiles:
    """The files in one place."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    """Image files by class, sorted within each folder; an empty list for an empty folder."""
    problems: list[Problem] = field(default_factory=list)


def class_files(known: KnownDataset, found: Found) -> ClassFiles:
    """The image files of a place by class.

    Hidden entries are ignored. Anything else that is left out is reported as a `Problem`.
    """
    result = ClassFiles()
    for folder in found.folders:
        _read_place(known, folder, result)
    return result


def _read_place(known: KnownDataset, folder: Path, result: ClassFiles) -> None:
    owners: dict[str, Path] = {}
    unknown: list[str] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        name = known.class_of(unpacked_name(entry) if is_archive(entry) else entry.name)
        if name is None:
            unknown += [entry.name] if entry.is_dir() else []
        elif name not in owners and entry.is_dir():
            owners[name] = entry
            _read_class(entry, result.files.setdefault(name, []), result.problems)
        elif (problem := _unusable(entry, name, owners.get(name))) is not None:
            result.problems.append(problem)
    if unknown:
        result.problems.append(
            Problem(
                "unknown folder",
                f"{len(unknown)} folders in '{folder}' are not classes of {known.name} and are "
                f"ignored: {', '.join(unknown[:5])}{', ...' if unknown[5:] else ''}",
                spoils=False,
            )
        )


def _unusable(entry: Path, name: str, owner: Path | None) -> Problem | None:
    """The problem with an entry named like a class whose folder is `owner`, if any."""
    if leads_nowhere(entry):
        return Problem(
            "link that leads nowhere",
            f"'{entry}' is a broken or circular link: fix or remove it",
            spoils=True,
        )
    if owner is None and is_archive(entry):
        return Problem("archive", f"'{entry}' is an archive: unpack it", spoils=True)
    if owner is not None and entry.is_dir() and entry.resolve() != owner.resolve():
        return Problem(
            "two folders of one class",
            f"'{owner}' and its sibling '{entry.name}' are both folders of class {name!r}: "
            "move all images into one of them",
            spoils=True,
        )
    return None


def _read_class(folder: Path, images: list[Path], problems: list[Problem]) -> None:
    others: Counter[str] = Counter()
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and Path(entry.path).is_dir():
                others["links to folders"] += 1
            elif entry.is_dir(follow_symlinks=False):
                others["folders"] += 1
            elif is_image_name(entry.name):
                names.append(entry.name)
            else:
                others[Path(entry.name).suffix or "no suffix"] += 1
    images.extend(folder / name for name in sorted(names))
    if others:
        counted = ", ".join(f"{number} {kind}" for kind, number in sorted(others.items()))
        problems.append(
            Problem("ignored files", f"'{folder}' has entries other than images: {counted}", False)
        )
