"""The page that compares two runs query by query, with the scripts that hold their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.reporting.cells import metric_title
from dfbench.reporting.leaderboard import table_title
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.site.addresses import (
    COMPARISON,
    queries_file,
    queries_key,
    run_key,
    run_page,
    values_file,
)
from dfbench.reporting.site.rendering import write_page, write_text
from dfbench.reporting.site.values import queries_script, stride_of, values_script
from dfbench.runs.record import Record

_TEMPLATE = "compare.html.j2"


@dataclass(frozen=True)
class Comparable:
    """A run whose folder tells the value of each query."""

    record: Record
    name: str
    """Of its row."""
    values: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    """None where the run's folder does not tell."""


def write_values(report: Path, run: Comparable, runs: int) -> list[str]:
    """Write the scripts of one of `runs` runs; returns their addresses."""
    record = run.record
    stride = stride_of(len(run.values), runs)
    written = [values_file(record)]
    write_text(report / written[0], values_script(run_key(record), run.values, stride))
    if run.labels is not None:
        script = queries_script(queries_key(record), record.data.classes, run.labels, stride)
        written.append(queries_file(record))
        write_text(report / written[1], script)
    return written


def write_comparison(report: Path, comparable: Sequence[Comparable], runs: int) -> None:
    """Write the page; `runs` is how many runs the report has."""
    content = {
        "groups": _groups(comparable, runs),
        "count": len(comparable),
        "runs": runs,
        "metric": metric_title(DEFAULT_METRIC),
        "formula": _formula(comparable),
    }
    write_page(report, COMPARISON, _TEMPLATE, content)


def _groups(comparable: Sequence[Comparable], runs: int) -> list[dict[str, Any]]:
    """Runs by the queries that they answer, for the script of the page."""
    by_key: dict[str, list[Comparable]] = {}
    for run in comparable:
        by_key.setdefault(queries_key(run.record), []).append(run)
    return [_group(key, group, runs) for key, group in by_key.items() if len(group) > 1]


def _group(key: str, group: Sequence[Comparable], runs: int) -> dict[str, Any]:
    first = group[0].record
    labelled = any(run.labels is not None for run in group)
    return {
        "key": key,
        "title": f"{table_title(first)}, seed {first.seed}",
        "stride": stride_of(first.data.queries, runs),
        "queries": queries_file(first) if labelled else None,
        "runs": [
            {
                "key": run_key(run.record),
                "name": f"{run.name} ({run.record.metrics[DEFAULT_METRIC].value:.3f})",
                "page": run_page(run.record),
                "values": values_file(run.record),
            }
            for run in sorted(group, key=lambda one: -one.record.metrics[DEFAULT_METRIC].value)
        ],
    }


def _formula(comparable: Sequence[Comparable]) -> str:
    formulas = [run.record.definitions[DEFAULT_METRIC].formula for run in comparable]
    return formulas[0] if formulas else ""
