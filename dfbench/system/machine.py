"""Processor cores and peak memory of this process."""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path


def available_cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_HIGH_WATER = re.compile(r"^VmHWM:\s*(?P<kibibytes>\d+) kB$", re.MULTILINE)
_STATUS = Path("/proc/self/status")


def peak_memory_mib() -> int:
    """Resident memory of this process alone, in MiB.

    Linux is asked for it by name: its `ru_maxrss` also counts what the parent held when it
    started this process.
    """
    found = _HIGH_WATER.search(_STATUS.read_text()) if _STATUS.is_file() else None
    if found:
        return round(int(found["kibibytes"]) / 2**10)
    in_bytes = sys.platform == "darwin"
    return round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if in_bytes else 2**10)
    )
