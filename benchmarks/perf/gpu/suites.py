"""A suite run as a subprocess, with its records read during the run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench.system.machine import available_cores

_LOOK_SECONDS = 1.0
_MOST_JOBS = 4
"""Steps of a small network in three processes saturate an H100 (see `concurrency`); one more run
uses the pauses in which others load or are scored."""


@dataclass(frozen=True)
class SuiteRun:
    """A suite file, run by `dfbench suite run` in separate folders."""

    file: Path
    place: Path
    """Folder for results and runs."""
    device: str
    jobs: int = 1
    options: tuple[str, ...] = ()
    cache: Path | None = None
    """By default a folder of `place`."""

    def records(self) -> Iterator[dict[str, Any]]:
        """The finished records, as stored on disk."""
        for file in sorted((self.place / "results").glob("*/*.json")):
            yield json.loads(file.read_text(encoding="utf-8"))

    def watch(self, seconds: float, look: Callable[[], object]) -> int | None:
        """Run for at most this many seconds, calling `look` now and then and at the end.

        Returns the exit status; None if it was stopped.
        """
        with self._started() as process:
            end = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < end:
                time.sleep(_LOOK_SECONDS)
                look()
            status = process.poll()
        look()
        return status

    @contextmanager
    def _started(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "dfbench", "suite", "run", str(self.file)]
        command += ["--device", self.device, "--jobs", str(self.jobs), *self.options]
        for name in ("results", "runs"):
            command += [f"--{name}", str(self.place / name)]
        command += ["--cache", str(self.cache or self.place / "cache")]
        process = subprocess.Popen(command)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def jobs(device: str) -> int:
    """Runs at a time: one small network leaves a GPU mostly idle; each run takes two cores."""
    return min(_MOST_JOBS, max(1, available_cores() // 2)) if device == "cuda" else 1


def label(record: dict[str, Any]) -> str:
    """The method of a record with its variant, e.g. `crossx[bn]`."""
    row = record["method"]
    return f"{row['name']}[{row['variant']}]" if row["variant"] else str(row["name"])


def score(record: dict[str, Any]) -> float:
    """Its map@all."""
    return float(record["metrics"]["map@all"]["value"])
