"""CPU cores, peak memory of this process, and what files and folders hold on disk."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from dfbench.errors import DfbenchError


def available_cores() -> int:
    """Number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_platform() -> None:
    """Raise `DfbenchError` on Windows, which lacks the process groups that runs rely on."""
    if sys.platform == "win32":
        raise DfbenchError(
            "runs and plugins need process groups and signals, which Windows does not have; "
            "allowed: Linux, macOS, or on Windows its subsystem for Linux (WSL)"
        )


_HIGH_WATER = re.compile(r"^VmHWM:\s*(?P<kibibytes>\d+) kB$", re.MULTILINE)
_STATUS = Path("/proc/self/status")


def peak_memory_mib() -> int:
    """Peak resident memory of this process alone, in MiB.

    On Linux it is read from `/proc`, because `ru_maxrss` there includes the memory that the parent
    held when it started this process.
    """
    found = _HIGH_WATER.search(_STATUS.read_text()) if _STATUS.is_file() else None
    if found:
        return round(int(found["kibibytes"]) / 2**10)
    import resource  # not on Windows, where the rest can still be imported

    in_bytes = sys.platform == "darwin"
    return round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if in_bytes else 2**10)
    )


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
