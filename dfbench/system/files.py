"""Files that are either whole or absent: written to a temporary name, then renamed."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dfbench.errors import InvalidInput
from dfbench.system.file_errors import concerns, told_faults, write_fault

_SUFFIX = ".tmp"
_PROBE = b"\0" * 4096
_ENDLESS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_UMASK = os.umask(0o077)
os.umask(_UMASK)  # nothing but setting it tells what it is


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


def absolute(path: Path) -> Path:
    """The path from the root of the file system, seen from the current folder as it is now.

    Names stay as they are, links too. Raises `InvalidInput` for a relative path where the current
    folder has been removed.
    """
    try:
        return path.absolute()
    except FileNotFoundError as fault:
        raise InvalidInput(
            f"{str(path)!r} begins in the current folder, which has been removed; allowed: a path "
            "from the root, or cd to a folder that is there and repeat the command"
        ) from fault


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raises `FileFault`, or its `DiskFull`, if the block cannot write `target`."""
    try:
        yield
    except OSError as fault:
        told = write_fault(fault, target) if concerns(fault, target) else None
        if told is None:
            raise
        raise told from fault


@contextmanager
def own_umask() -> Iterator[None]:
    """Files and folders that the block makes have the permissions that this process began with.

    A plugin may have set another umask, by which dfbench could not read its own files.
    """
    others = os.umask(_UMASK)
    try:
        yield
    finally:
        os.umask(others)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its name when the block ends without error.

    The folder is made if needed. On an error the temporary file goes and `target` stays as it
    was. Raises `FileFault`, or its `DiskFull`, for a place that cannot be written to.
    """
    temporary = _temporary(target)
    try:
        with writing(target), own_umask():
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(target)
    finally:
        _remove(temporary)


def check_writable(target: Path) -> None:
    """Raise `FileFault` unless a file of this name could be written now; nothing is left behind.

    Its folder need not exist: then the nearest one above it is tried. To be called before the work
    whose result goes there.
    """
    try:
        _try(target)
    except OSError as fault:
        told = write_fault(fault, target)
        if told is None:
            raise
        raise told from fault


def entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing if there is no such folder.

    Raises `FileFault` for one that cannot be read: it is not empty for all we know.
    """
    with told_faults(), suppress(FileNotFoundError):
        return sorted(folder.iterdir())
    return []


def drop_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written below a folder in which nobody writes now."""
    for leftover in folder.rglob(f".*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def write_json(target: Path, content: Any) -> None:
    """Write `content` as readable JSON, sorted keys, atomically."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _temporary(target: Path) -> Path:
    writer = f"{os.getpid()}-{threading.get_ident()}"
    return target.with_name(f".{target.name}.{writer}{_SUFFIX}")


def _remove(temporary: Path) -> None:
    with suppress(OSError):  # what is in the way of it has been told already
        temporary.unlink(missing_ok=True)


def _try(target: Path) -> None:
    """Write a file where `target` may be written, and remove it. Raises `OSError`."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    folder = _nearest(target.parent)
    for name in target.relative_to(folder).parts:
        with suppress(FileNotFoundError):
            (folder / name).lstat()  # a name may be too long for the file system
    probe = folder / _temporary(target).name
    try:
        with probe.open("xb") as file:
            file.write(_PROBE)
    finally:
        _remove(probe)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists. Raises `OSError` for what is none."""
    for place in (folder, *folder.parents):
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            if place.is_symlink():
                raise  # a link to nowhere, in whose place no folder can be made
            continue
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        return place
    return Path()
