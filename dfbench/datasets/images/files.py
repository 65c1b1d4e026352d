"""Image files: digests of their contents, and which are unreadable or duplicates."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from dfbench.class_names import encodable
from dfbench.datasets.images.decoding import decoded
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.system import console
from dfbench.system.files import atomic_path, check_writable, finite, read_file

_FEWEST = 2048
"""Least number of new digests that are saved before all files are read."""
Digests = dict[Path, str | None]
_Index = dict[str, list[str]]
_SETTLED = 2.0
"""Seconds after which a further change to a file must show in its time stamps."""


def file_digests(files: Sequence[Path], root: Path, index: Path) -> Digests:
    """`named_digests` by path, for files below `root`."""
    names = {file.relative_to(root).as_posix(): file for file in files}
    return {names[name]: digest for name, digest in named_digests(root, list(names), index).items()}


def named_digests(root: Path, names: Sequence[str], index: Path) -> dict[str, str | None]:
    """BLAKE2 digest of each file's bytes, in hex; None for a file that cannot be read.

    Names are relative to `root`, with slashes. Digests are cached in the file `index`, with the
    file's size, modification time and change time (which programs cannot set back). A damaged
    index is ignored; one that cannot be written raises `FileFault`.
    """
    known = _read(index)
    if not known:
        check_writable(index)
    settled_before = (time.time() - _SETTLED) * 1e9
    digests: dict[str, str | None] = {}
    fresh: _Index = {}
    with console.progress("reading images", len(names)) as advance:
        for name in names:
            digests[name] = None
            with suppress(OSError):
                stat = os.stat(f"{root}/{name}")  # noqa: PTH116  # a Path costs more than the call
                stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
                entry = known.get(name, ["", ""])
                if entry[0] == stamp:
                    digests[name] = entry[1]
                else:
                    digests[name] = digest = digest_of(read_file(root / name))
                    if max(stat.st_mtime_ns, stat.st_ctime_ns) < settled_before:
                        fresh[name] = [stamp, digest]
            # The index doubles before each write, so all writes cost at most twice the last.
            if len(fresh) >= max(_FEWEST, len(known)):
                known |= fresh
                fresh = {}
                _write(index, known)
            advance(1)
    if fresh:
        _write(index, known | fresh)
    return digests


def _write(index: Path, content: _Index) -> None:
    with atomic_path(index) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def digest_of(content: bytes) -> str:
    """BLAKE2 digest of a file's bytes, in hex."""
    return blake2b(content, digest_size=16).hexdigest()


def _read(index: Path) -> _Index:
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if _is_sound(entry)}


def _is_sound(entry: object) -> bool:
    return (
        isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
    )


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
