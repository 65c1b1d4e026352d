"""CPU cores and peak memory of this process."""

from __future__ import annotations

import os
import re
import sys
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
