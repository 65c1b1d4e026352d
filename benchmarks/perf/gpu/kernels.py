"""The tests marked `cuda`: kernels against references, micro-batches, bf16.

The output of failed tests is in the step's log.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.perf.gpu.journal import Journal, Request

_COUNTS = re.compile(r"(\d+) (passed|failed|skipped|errors?)")
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
_WORKERS = "4"


def measure(request: Request, journal: Journal) -> None:
    """Record how many tests passed, failed and were skipped, and the names of those that failed."""
    if find_spec("pytest") is None:
        journal.write("tests", {"not run": "pytest is not installed"})
        return
    tests = sorted(map(str, Path("tests").glob("*/test_*_cuda.py")))
    command = [sys.executable, "-m", "pytest", "-m", "cuda", *tests]
    command += ["-p", "no:cacheprovider", "-p", "no:benchmark", "--tb=short", "--no-header"]
    if find_spec("xdist") is not None and request.device == "cuda":
        command += ["-n", _WORKERS]
    found = subprocess.run(command, capture_output=True, text=True, timeout=request.seconds)
    counts = {kind: int(number) for number, kind in _COUNTS.findall(found.stdout)}
    journal.write("tests", {**counts, "exit status": found.returncode})
    if found.returncode:
        journal.write("failed", _FAILED.findall(found.stdout))
        print(found.stdout + found.stderr)
