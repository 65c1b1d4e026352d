"""Rows with their intervals as a chart of dots and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from dfbench.reporting.lines import Line
from dfbench.reporting.recorded import Measured, recorded, scores_of

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


def interval_chart(rows: Sequence[Line], metric: str) -> IntervalChart:
    """Mean over the seeds with the mean of the seeds' recorded 95 % interval ends."""
    found = tuple(
        Row(
            line,
            {
                reading: recorded(scores)
                for reading in READINGS
                if (scores := scores_of(line, metric, reading))
            },
        )
        for line in rows
    )
    most = max((m.high for row in found for m in row.by_reading.values()), default=1.0)
    step = next((s for s in _STEPS if most / s <= _MARKS), _STEPS[-1])
    marks = tuple(round(step * number, 2) for number in range(ceil(most / step) + 1))
    return IntervalChart(found, marks, rows[0].first.chance)
