"""All measurements of this folder refreshed, one after the other, on an idle machine.

    python -m benchmarks.perf              # about two hours on two cores
    python -m benchmarks.perf ranking training

Each benchmark compares its contenders in one process or run, so that its ratios hold although the
machine changes between two refreshes. Not included: `report.json`, which needs a folder of runs
(`python -m benchmarks.perf.report`), and `gpu-*.json`, which need a GPU (`benchmarks.perf.gpu`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

OPTIONS = {
    "commands": "--rounds 9",
    "first_command": "--steps 10",
    "gallery": "",
    "planning": "--runs 1000",
    "process": "--rounds 9",
    "ranking": "--sizes 2000x50000",
    "reading": "--images 20000",
    "repeatability": "--times 2",
    "reranking": "--queries 2000 --photos 50000",
    "schedules": "--seconds 120",
    "streaming": "--images 2000",
    "training": "",
}
"""The benchmarks, each with the options of its committed figures."""
ELSEWHERE = ("report", "gpu")
"""Benchmarks that need more than this machine."""


def command_of(name: str, folder: Path) -> list[str]:
    """The command that writes a benchmark's figures into a folder."""
    module = f"benchmarks.perf.{name}"
    options = [*OPTIONS[name].split(), "--json", str(folder / f"{name}.json")]
    return [sys.executable, "-m", module, *options]


def main() -> int:
    """Run the named benchmarks, by default all; status 1 if any failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.perf",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(OPTIONS)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in OPTIONS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; allowed: {', '.join(OPTIONS)}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    failed = []
    for name in given.names or OPTIONS:
        print(f"== {name}", flush=True)
        if subprocess.run(command_of(name, given.out), env=environment, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed, with their figures as they were: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
