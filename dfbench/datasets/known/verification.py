"""Comparison of the files found with published counts and with the dataset's file lists."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dfbench.datasets.known.inventory import Inventory
from dfbench.datasets.known.layout import Problem
from dfbench.modality import Modality
from dfbench.system.files import finite

_LISTS = ("*.csv", "*_filelist_*.txt", "zeroshot*/*.txt")
_DEPTH = 3
"""Most folder levels between class folders and the folder of their file lists."""


def total_shortfalls(found: Inventory) -> tuple[Problem, ...]:
    """Total numbers of photos or sketches that differ from the published ones."""
    return tuple(
        _different(count.modality, "in all", there, f"{count.total}", count.source)
        for count in found.published
        if (there := found.count(count.modality)) != count.total
    )


def class_shortfalls(found: Inventory) -> tuple[Problem, ...]:
    """Classes whose number of images differs from the published number or range."""
    problems = []
    for count in found.published:
        exact = found.variant.known.published_per_class.get(count.modality, {})
        for name, group in found.files[count.modality].items():
            least, most = (
                (exact[name],) * 2 if name in exact else count.per_class or (0, len(group))
            )
            if not least <= len(group) <= most:
                wanted = f"{least}" if least == most else f"{least} to {most}"
                where = f"of class {name!r}"
                problems.append(_different(count.modality, where, len(group), wanted, count.source))
    return tuple(problems)


def listed_but_missing(found: Inventory) -> tuple[Problem, ...]:
    """File lists that name missing images.

    Reads SAKE's lists (`<path, perhaps with blanks> <label>` per line) and tables with a column
    `img_path`. An image counts as present if its class has a file of that name with any suffix,
    because photos are often renamed from `.JPEG` to `.jpg`.
    """
    known = found.variant.known
    there = {
        (name, file.stem)
        for files in found.held.values()
        for name, group in files.items()
        for file in group
    }
    problems = []
    for file in _lists(found):
        listed = [(known.class_of(path.parent.name), path) for path in _paths(file)]
        missing = [path for name, path in listed if name and (name, path.stem) not in there]
        if missing:
            text = (
                f"'{file}' lists {len(missing)} images (of {len(listed)}) that are missing, "
                f"first '{missing[0]}'"
            )
            problems.append(Problem("listed but missing", text, spoils=False))
    return tuple(problems)


def _different(modality: Modality, what: str, there: int, wanted: str, source: str) -> Problem:
    plural = "photos" if modality == "photo" else "sketches"
    return Problem(
        "short of the published count",
        f"{there} {plural} {what}, {wanted} were published ({source})",
        spoils=False,
    )


def _lists(found: Inventory) -> list[Path]:
    near = {
        parent
        for place in found.places.values()
        for folder in place.folders
        for parent in (folder, *folder.parents)[: _DEPTH + 1]
        if parent.is_relative_to(found.root)
    }
    files = {file for folder in near for pattern in _LISTS for file in folder.glob(pattern)}
    return sorted(file for file in files if not file.name.startswith("cname_cid"))


def _paths(file: Path) -> Iterator[PurePosixPath]:
    with finite(file).open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        if file.suffix == ".csv":
            for row in csv.DictReader(lines):
                yield PurePosixPath(row.get("img_path") or "")
            return
        for line in lines:
            path, blank, _ = line.strip().rpartition(" ")
            if blank:
                yield PurePosixPath(path)
