"""The page that compares two runs query by query, and the value files that its script loads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2.utils import htmlsafe_json_dumps
from numpy.typing import NDArray

from dfbench.records.record import Record
from dfbench.reporting.cells import metric_title, short
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.site.rendering import (
    COMPARISON,
    queries_file,
    queries_key,
    run_key,
    run_page,
    values_file,
    write_page,
    write_text,
)
from dfbench.reporting.tables.leaderboard import table_title

_UNITS = 10_000
_NONE = 65_535
"""Marks a query without relevant photos."""
_BYTES = 5_000_000
"""Size limit for the values of all runs together."""
_BYTES_PER_VALUE = 2 * 4 / 3


def stride_of(queries: int, runs: int) -> int:
    """Interval between the queries kept, so that the values of `runs` runs stay small."""
    most = max(100, int(_BYTES / (max(1, runs) * _BYTES_PER_VALUE)))
    return -(-queries // most)


def values_script(key: str, values: NDArray[np.float64], stride: int) -> str:
    """A run's AP of every `stride`-th query in units of 1e-4, as 16-bit little-endian base64."""
    units = np.where(np.isnan(values), _NONE, np.rint(values * _UNITS)).astype("<u2")
    return f"dfbench.values({_literal(key)}, {_literal(_packed(units[::stride]))});\n"


def queries_script(key: str, classes: Sequence[str], labels: NDArray[np.int64], stride: int) -> str:
    """The class of every `stride`-th query, as indices into `classes`."""
    packed = _packed(labels[::stride].astype("<u2"))
    return f"dfbench.queries({_literal(key)}, {_literal(list(classes))}, {_literal(packed)});\n"


def _packed(numbers: NDArray[np.uint16]) -> str:
    return b64encode(numbers.tobytes()).decode()


def _literal(content: object) -> str:
    """JSON that is safe inside HTML and scripts."""
    return str(htmlsafe_json_dumps(content))


_TEMPLATE = "compare.html.j2"


@dataclass(frozen=True)
class Comparable:
    """A run whose folder has a score for each query."""

    record: Record
    name: str
    """Name of its line."""
    values: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    """None if the run's folder has no labels."""


def write_values(report: Path, run: Comparable, runs: int) -> list[str]:
    """Write the value scripts of a run, one of `runs`; returns their addresses."""
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
    """Write the page; `runs` is the number of runs in the report."""
    content = {
        "groups": _groups(comparable, runs),
        "count": len(comparable),
        "runs": runs,
        "metric": metric_title(DEFAULT_METRIC),
        "formula": _formula(comparable),
    }
    write_page(report, COMPARISON, _TEMPLATE, content)


def _groups(comparable: Sequence[Comparable], runs: int) -> list[dict[str, Any]]:
    """Runs grouped by their set of queries, for the script of the page."""
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
                "name": f"{run.name} ({short(run.record.metrics[DEFAULT_METRIC].value)})",
                "page": run_page(run.record),
                "values": values_file(run.record),
            }
            for run in sorted(group, key=lambda one: -one.record.metrics[DEFAULT_METRIC].value)
        ],
    }


def _formula(comparable: Sequence[Comparable]) -> str:
    formulas = [run.record.definitions[DEFAULT_METRIC].formula for run in comparable]
    return formulas[0] if formulas else ""
