"""The verbs of `dfbench suite` on a bench, and what they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import Bench, Finished

WriteSuite = Callable[..., Path]


def places(bench: Bench) -> list[str]:
    """The folders of a bench as options."""
    return [
        *("--results", str(bench.results), "--runs", str(bench.runs)),
        *("--cache", str(bench.cache)),
    ]


def suite(bench: Bench, verb: str, file: Path, *extra: str) -> Finished:
    """One verb of `dfbench suite` in this process."""
    return bench.call("suite", verb, str(file), *places(bench), *extra)


def statuses(finished: Finished) -> dict[tuple[str, int], str]:
    """Row and seed with the state of the run, from `--format json`."""
    return {(run["method"], run["seed"]): run["status"] for run in finished.json["runs"]}


def reasons(content: Any) -> dict[str, str]:
    """Row with the reason why it is not done."""
    return {run["method"]: run["reason"] for run in content["runs"] if run["reason"]}
