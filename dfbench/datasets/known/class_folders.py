"""The files in the class folders of one place, and what is wrong with the folders."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dfbench.datasets.folder_layout import (
    is_archive,
    is_image_name,
    leads_nowhere,
    unpacked_name,
)
from dfbench.datasets.known.facts import KnownDataset
from dfbench.datasets.known.layout import Found

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
    """Something a user should know of a data root."""

    kind: Kind
    text: str
    """One line: what, where, and what to do if anything."""
    spoils: bool
    """Whether images would be lost or mixed up, so that the dataset cannot be opened."""


@dataclass
class ClassFiles:
    """What one place holds."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    """Image files by class, sorted within each folder; an empty folder has an empty list."""
    problems: list[Problem] = field(default_factory=list)


def class_files(known: KnownDataset, found: Found) -> ClassFiles:
    """The image files of a place by class.

    Hidden entries are passed over. What else is left out is a `Problem`.
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
                f"{len(unknown)} folders of '{folder}' are no class of {known.name} and are left "
                f"out: {', '.join(unknown[:5])}{', ...' if unknown[5:] else ''}",
                spoils=False,
            )
        )


def _unusable(entry: Path, name: str, owner: Path | None) -> Problem | None:
    """What is wrong with an entry named like a class whose folder is `owner`, if anything."""
    if leads_nowhere(entry):
        return Problem(
            "link that leads nowhere",
            f"'{entry}' is a link that leads nowhere or in a circle: mend or remove it",
            spoils=True,
        )
    if owner is None and is_archive(entry):
        return Problem("archive", f"'{entry}' is an archive: unpack it", spoils=True)
    if owner is not None and entry.is_dir() and entry.resolve() != owner.resolve():
        return Problem(
            "two folders of one class",
            f"'{owner}' and '{entry.name}' beside it both mean class {name!r}: "
            "put their images into one of them",
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
                others[Path(entry.name).suffix or "no ending"] += 1
    images.extend(folder / name for name in sorted(names))
    if others:
        counted = ", ".join(f"{number} {kind}" for kind, number in sorted(others.items()))
        problems.append(
            Problem("ignored files", f"'{folder}' holds what is no image file: {counted}", False)
        )
