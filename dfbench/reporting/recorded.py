"""The mean of a row with its interval, from records alone."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from dfbench.reporting.lines import Line
from dfbench.runs.record import Score

RECORDED = "95 % bootstrap over queries, mean of the seeds' recorded ends"


@dataclass(frozen=True)
class Measured:
    """The mean of a row over its seeds, with what its interval is of."""

    value: float
    low: float
    high: float
    kind: str

    @property
    def reach(self) -> tuple[float, float]:
        """How far the interval goes below and above the mean; never negative."""
        return max(0.0, self.value - self.low), max(0.0, self.high - self.value)


def scores_of(line: Line, metric: str, reading: str = "") -> list[Score]:
    """A row's recorded scores, one a seed; none where it has no such reading."""
    readings = (r.readings.get(reading, {}) if reading else r.metrics for r in line.records)
    return [scores[metric] for scores in readings if metric in scores]


def recorded(scores: list[Score]) -> Measured:
    """Recorded scores of several seeds as one."""
    value, low, high = (
        fmean(getattr(s, part) for s in scores) for part in ("value", "low", "high")
    )
    return Measured(value, low, high, RECORDED)
