"""Digests of file contents; a file is read again only if it may have changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from dfbench.system import console
from dfbench.system.files import atomic_path, check_writable, read_file

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
