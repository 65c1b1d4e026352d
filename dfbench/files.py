"""Files that are either whole or absent: written to a temporary name, then renamed."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dfbench.errors import DfbenchError

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a disk, or of a user's share of it, that is full."""
_SUFFIX = ".tmp"
_ENDLESS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


class DiskFull(DfbenchError):
    """No space is left where something had to be written."""


def no_space(target: Path) -> DiskFull:
    """The error for a file that finds no room."""
    return DiskFull(
        f"no space left to write {target.name} in {target.parent}; "
        "free some space or choose another folder, then repeat the same command"
    )


def finite(file: Path) -> Path:
    """The same path, if reading it comes to an end.

    Raises `OSError` if there is none, and for a named pipe, a socket or a device, which a reader
    may wait for without end.
    """
    mode = file.stat().st_mode
    for holds, kind in _ENDLESS.items():
        if holds(mode):
            raise OSError(errno.EINVAL, f"{kind}, not a file", str(file))
    return file


def read_file(file: Path) -> bytes:
    """The bytes of a file. Raises `OSError` as `finite` does."""
    return finite(file).read_bytes()


@contextmanager
def room_for(target: Path) -> Iterator[None]:
    """Raises `DiskFull` if the block finds no room for `target`."""
    try:
        yield
    except OSError as fault:
        if fault.errno in OUT_OF_SPACE:
            raise no_space(target) from fault
        raise


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its name when the block ends without error.

    The folder is made if needed. On an error the temporary file goes and `target` stays as it
    was. Raises `DiskFull` when no space is left.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"
    temporary = target.with_name(f".{target.name}.{writer}{_SUFFIX}")
    try:
        with room_for(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def drop_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written below a folder in which nobody writes now."""
    for leftover in folder.rglob(f".*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def write_json(target: Path, content: Any) -> None:
    """Write `content` as readable JSON, sorted keys, atomically."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
