"""Rows with their intervals as a chart of dots and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.reporting.intervals import Measured, interval_lines, measured_rows, scores_of
from dfbench.reporting.lines import Line
from dfbench.reporting.per_query import MissingRun, RunFolders
from dfbench.runs.record import Record

READINGS = ("", "posterior")
"""The headline, and the second reading that a table shows."""
_STEPS = (0.02, 0.05, 0.1, 0.2)
"""Between two marks of the axis."""
_MARKS = 6


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    line: Line
    by_reading: dict[str, Measured]


@dataclass(frozen=True)
class IntervalChart:
    """Rows in the table's order, on an axis from 0."""

    rows: tuple[Row, ...]
    marks: tuple[float, ...]
    chance: float

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return self.marks[-1]

    @property
    def kinds(self) -> list[str]:
        """What its intervals are."""
        return interval_lines((r.line.name, m) for r in self.rows for m in r.by_reading.values())


class _Readable(RunFolders):
    """Run folders of which one that cannot be read counts as missing: the run's page says why."""

    def values(self, record: Record, metric: str, reading: str) -> NDArray[np.float64]:
        try:
            return super().values(record, metric, reading)
        except InvalidInput as fault:
            raise MissingRun(str(fault)) from fault


def interval_chart(rows: Sequence[Line], metric: str, runs: Path) -> IntervalChart:
    """Means over the seeds with their intervals, as `dfbench plot` draws them."""
    by_row: list[dict[str, Measured]] = [{} for _ in rows]
    for reading in READINGS:
        own = [n for n, line in enumerate(rows) if scores_of(line, metric, reading)]
        intervals = measured_rows([rows[n] for n in own], metric, _Readable(runs), reading)
        for number, interval in zip(own, intervals, strict=True):
            by_row[number][reading] = interval
    found = tuple(map(Row, rows, by_row))
    most = max((m.high for row in found for m in row.by_reading.values()), default=1.0)
    step = next((s for s in _STEPS if most / s <= _MARKS), _STEPS[-1])
    marks = tuple(round(step * number, 2) for number in range(ceil(most / step) + 1))
    return IntervalChart(found, marks, rows[0].first.chance)
