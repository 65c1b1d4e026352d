"""What files and folders hold on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DiskUse:
    """The files below a folder, or one file."""

    files: int
    size: int
    """Bytes."""
    newest: float
    """Time of the last change of any of them, in seconds since the epoch; 0 without files."""


def disk_use(path: Path) -> DiskUse:
    """Files, bytes and last change; links are not followed, and unreadable folders count as empty.

    A path that does not exist has no files.
    """
    if not path.is_dir():
        found = [path.lstat()] if path.exists() or path.is_symlink() else []
    else:
        found = [
            status
            for folder, _, names in os.walk(path)
            for name in names
            if (status := _status(Path(folder) / name))
        ]
    newest = max((status.st_mtime for status in found), default=0.0)
    return DiskUse(len(found), sum(status.st_size for status in found), newest)


def _status(file: Path) -> os.stat_result | None:
    """None for a file that another process has just removed."""
    try:
        return file.lstat()
    except OSError:
        return None


def size_text(size: int) -> str:
    """A size for readers.

    >>> size_text(999), size_text(2_340_000)
    ('999 B', '2.3 MB')
    """
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
