"""Run the GPU check: `python -m benchmarks.perf.gpu --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.perf.gpu.journal import Journal, Request, result_file
from benchmarks.perf.gpu.methods import SEEDS, SUITE, write_reference
from benchmarks.perf.gpu.steps import (
    STEPS,
    end_with_parent,
    run_step,
    seconds_for,
    step_named,
)
from benchmarks.perf.gpu.suites import SuiteRun

_FAILED = 1


def main() -> None:
    """Run all steps, or with `--step` one step in this process."""
    arguments = _arguments()
    if arguments.reference:
        _make_reference()
    elif arguments.step:
        request = Request(
            arguments.step,
            arguments.device,
            arguments.scale,
            arguments.seconds,
            arguments.out,
            arguments.data,
        )
        end_with_parent()
        journal = Journal(request)
        step_named(request.step).measure(request, journal)
        journal.end()
    else:
        sys.exit(_all_steps(arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.perf.gpu",
        description="Measure all claims of dfbench about GPUs; one JSON file per step.",
    )
    parser.add_argument("--minutes", type=float, default=8, help="time limit (default: 8)")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder of the results")
    parser.add_argument("--data", type=Path, help="folder with qd_tiny21, for the last step")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--scale", default="full", choices=["full", "tiny"])
    parser.add_argument("--resume", action="store_true", help="keep complete steps of --out")
    parser.add_argument(
        "--reference", action="store_true", help="measure the CPU's scores again (half an hour)"
    )
    parser.add_argument("--step", choices=[step.name for step in STEPS], help="only this step")
    parser.add_argument("--seconds", type=float, default=600, help="time limit of --step")
    arguments = parser.parse_args()
    if not Path(SUITE).is_file():
        parser.error(f"{SUITE} does not exist; run this from the root of the repository")
    if arguments.device == "cuda" and not arguments.reference:
        _require_gpu(parser)
    return arguments


def _require_gpu(parser: argparse.ArgumentParser) -> None:
    import torch

    if not torch.cuda.is_available():
        parser.error("no GPU is visible to torch; for a dry run use --device cpu --scale tiny")


def _all_steps(arguments: argparse.Namespace) -> int:
    """Run the steps one after the other; status 1 if any step failed."""
    end = time.monotonic() + 60 * arguments.minutes
    console = Console(highlight=False)
    failed = False
    # cuBLAS sums in a fixed order only with this setting, which must precede the start of CUDA.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    for step in STEPS:
        if arguments.resume and _complete(arguments, step.name):
            console.print(f"{step.name}: kept")
            continue
        seconds = seconds_for(step, end - time.monotonic())
        request = Request(
            step.name,
            arguments.device,
            arguments.scale,
            max(seconds, 1.0),
            arguments.out,
            arguments.data,
        )
        request.file.unlink(missing_ok=True)
        started = time.monotonic()
        ended = run_step(request)
        failed = failed or ended != "done"
        console.print(f"{step.name}: {ended}, {time.monotonic() - started:.0f} s")
    console.print(_table(arguments.out))
    return _FAILED if failed else 0


def _complete(arguments: argparse.Namespace, name: str) -> bool:
    file = result_file(arguments.out, name)
    if not file.is_file():
        return False
    content = json.loads(file.read_text(encoding="utf-8"))
    same = (content["device"], content["scale"]) == (arguments.device, arguments.scale)
    return bool(content["complete"]) and same


def _table(out: Path) -> Table:
    """All measurements, one per line."""
    table = Table(box=box.SIMPLE)
    for column in ("step", "measured", "figure"):
        table.add_column(column, overflow="fold")
    for step in STEPS:
        file = result_file(out, step.name)
        results = json.loads(file.read_text(encoding="utf-8"))["results"] if file.is_file() else {}
        for name, value in results.items():
            for part, figure in _figures(value):
                table.add_row(step.name, f"{name} {part}".strip(), figure)
    return table


def _figures(value: Any) -> Iterator[tuple[str, str]]:
    """Named figures of a measurement; names of nested ones are joined."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for part, figure in _figures(inner):
                yield f"{name} {part}".strip(), figure
    elif isinstance(value, list):
        yield "", f"{len(value)} lines" if value else "none"
    else:
        yield "", f"{value:.4g}" if isinstance(value, float) else str(value)


def _make_reference() -> None:
    with TemporaryDirectory() as folder:
        records: list[dict[str, Any]] = []
        for seed in SEEDS:
            suite = SuiteRun(_with_seed(seed, Path(folder)), Path(folder), "cpu")
            suite.watch(float("inf"), lambda: None)
        records.extend(suite.records())
        write_reference(records)


def _with_seed(seed: int, folder: Path) -> Path:
    file = folder / SUITE.name
    text = Path(SUITE).read_text(encoding="utf-8")
    file.write_text(text.replace("seeds = [0]", f"seeds = [{seed}]"), encoding="utf-8")
    return file


if __name__ == "__main__":
    main()
