"""User messages for file system errors: what went wrong and what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dfbench.errors import DfbenchError

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk or an exceeded quota."""
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Error numbers of a file system without file locks."""
_AGAIN = "then repeat the same command"
_ELSEWHERE = "choose another place"
_ACCESS = f"make it accessible to you or {_ELSEWHERE}"
_MEANINGS = {
    errno.EACCES: ("permission denied", _ACCESS),
    errno.EPERM: ("operation not permitted", _ACCESS),
    errno.EROFS: ("read-only file system", _ELSEWHERE),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", _ELSEWHERE),
    errno.EISDIR: ("it is a folder, not a file", "name a file"),
    errno.EEXIST: ("a file of that name is in the way", f"remove it or {_ELSEWHERE}"),
    errno.ENOENT: ("no such file or folder", "check the path"),
    errno.ENOTEMPTY: ("the folder is not empty", _ELSEWHERE),
    errno.ENAMETOOLONG: ("name too long", "choose a shorter one"),
    errno.ELOOP: ("a loop of symbolic links", f"fix the links or {_ELSEWHERE}"),
    errno.EINVAL: ("its file system refuses the name or the operation", _ELSEWHERE),
    errno.EILSEQ: ("its file system refuses the name", "choose a name of ASCII letters"),
    errno.ENOSPC: ("no space left on the disk", f"free some or {_ELSEWHERE}"),
    errno.EDQUOT: ("disk quota exceeded", f"free some space or {_ELSEWHERE}"),
    errno.EFBIG: ("file too large for its file system", _ELSEWHERE),
    errno.EIO: ("input/output error", f"check the disk or {_ELSEWHERE}"),
    errno.ENXIO: ("no such device", _ELSEWHERE),
    errno.ENODEV: ("no such device", _ELSEWHERE),
    errno.EBUSY: ("the file or device is in use", "wait until it is free"),
    errno.ETXTBSY: ("the file is being executed", "wait until it is free"),
    errno.EXDEV: ("the path leads to another file system", _ELSEWHERE),
    errno.EMFILE: ("too many open files", "allow more (ulimit -n)"),
    errno.ENFILE: ("too many open files on this machine", "close some"),
    errno.ESTALE: (
        "stale handle: the file server no longer knows it",
        f"mount the file system again or {_ELSEWHERE}",
    ),
    **dict.fromkeys(NO_LOCKS, ("the file system has no file locks", _ELSEWHERE)),
}


class FileFault(DfbenchError):
    """A file or folder that cannot be read or written."""


class DiskFull(FileFault):
    """No space is left to write a file."""


def file_fault(fault: OSError) -> FileFault | None:
    """The user error for a system error about files; None if it is about something else."""
    if fault.errno not in _MEANINGS:
        return None
    what, remedy = _MEANINGS[fault.errno]
    if fault.filename is None:
        what = str(fault.strerror or what)
        named = ""
    else:
        named = f"{os.fsdecode(fault.filename)!r}: " if _is_path(fault.filename) else ""
    kind = DiskFull if fault.errno in OUT_OF_SPACE else FileFault
    return kind(f"{named}{what}; {remedy}, {_AGAIN}")


def write_fault(fault: OSError, target: Path) -> FileFault | None:
    """The user error for a system error while writing `target`; None if it is not about files."""
    if fault.errno in OUT_OF_SPACE:
        return no_space(target, fault.errno)
    if fault.errno not in _MEANINGS:
        return None
    what, remedy = _MEANINGS[fault.errno]
    return FileFault(f"cannot write {str(target)!r}: {what}; {remedy}, {_AGAIN}")


def no_space(target: Path, number: int | None = errno.ENOSPC) -> DiskFull:
    """The error for a file that does not fit."""
    if number == errno.EDQUOT:
        lacking, remedy = "disk quota exceeded: no space left", "free some space"
    elif _without_inodes(target.parent):
        lacking, remedy = "no inodes left (too many files, see: df -i)", "remove some files"
    else:
        lacking, remedy = "no space left", "free some space"
    return DiskFull(
        f"{lacking} to write {target.name} in {target.parent}; "
        f"{remedy} or choose another folder, {_AGAIN}"
    )


@contextmanager
def told_faults() -> Iterator[None]:
    """Raise `FileFault` for a file system error in the block or the decorated function."""
    try:
        yield
    except OSError as fault:
        named = file_fault(fault)
        if named is None:
            raise
        raise named from fault


def concerns(fault: OSError, target: Path) -> bool:
    """Whether an error is about a file in the folder of `target`, or about a parent folder."""
    if not _is_path(fault.filename):
        return fault.filename is None
    named = Path(os.fsdecode(fault.filename))
    return named.is_relative_to(target.parent) or target.is_relative_to(named)


def _is_path(filename: object) -> bool:
    return isinstance(filename, str | bytes | os.PathLike)  # an open descriptor is a number


def _without_inodes(folder: Path) -> bool:
    for place in (folder, *folder.parents):
        with suppress(OSError):  # a folder that does not exist yet
            disk = os.statvfs(place)
            return disk.f_files > 0 and disk.f_favail == 0 and disk.f_bavail > 0
    return False
