"""Detection of unreadable and duplicate image files."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from dfbench.class_names import encodable
from dfbench.datasets.images.contents import digest_of
from dfbench.datasets.images.decoding import decoded
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.system import console
from dfbench.system.files import finite, read_file

_SIDE = 8
"""Size in pixels of images decoded only as a check."""


def unreadable(files: Sequence[Path], *, decode: bool) -> dict[Path, str]:
    """The files that cannot be used, with the reason.

    Finds files that are empty, missing or without read permission. With `decode`, every file is
    decoded as in a run, which also finds truncated images and files that are not images.
    """
    faults = {}
    description = "decoding images" if decode else "checking image files"
    with console.progress(description, len(files)) as advance:
        for file in files:
            reason = closed(file) or (_broken(file) if decode else None)
            if reason:
                faults[file] = reason
            advance(1)
    return faults


def duplicates(files: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """Groups of two or more files with the same bytes, in the order of `files`.

    Only files with the same size as another are read. Raises `InvalidInput` for a file that cannot
    be read.
    """
    try:
        suspects = [file for group in _equal(files, _size) for file in group]
        with console.progress("comparing contents", len(suspects)) as advance:
            return tuple(tuple(group) for group in _equal(_counted(suspects, advance), _digest))
    except OSError as fault:
        raise InvalidInput(
            f"'{fault.filename}' cannot be read ({fault.strerror or fault}): repair or remove it"
        ) from fault


def closed(file: Path) -> str | None:
    """The reason why a file cannot be used, without reading it; None if there is none."""
    if not encodable(str(file)):
        return "its path is not UTF-8"
    try:
        if not finite(file).stat().st_size:
            return "empty file"
    except OSError as fault:
        return fault.strerror or str(fault)
    return None if os.access(file, os.R_OK) else "no permission to read it"


def _broken(file: Path) -> str | None:
    try:
        decoded(file, _SIDE)
    except UnreadableImageError as fault:
        return str(fault)
    return None


def _equal(files: Iterable[Path], key: Callable[[Path], object]) -> list[list[Path]]:
    groups: defaultdict[object, list[Path]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return [group for group in groups.values() if len(group) > 1]


def _counted(files: Iterable[Path], advance: console.Advance) -> Iterator[Path]:
    for file in files:
        yield file
        advance(1)


def _size(file: Path) -> int:
    return file.stat().st_size


def _digest(file: Path) -> str:
    return digest_of(read_file(file))
