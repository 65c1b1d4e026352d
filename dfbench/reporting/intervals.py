"""The 95 % interval of one row's mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from dfbench.evaluation.bootstrap import Interval, paired_statistic
from dfbench.reporting.comparison import VERDICT_SEEDS
from dfbench.reporting.lines import Line
from dfbench.reporting.per_query import MissingRun, RunFolders
from dfbench.reporting.resampling import GENERATOR_SEED, drawn_from
from dfbench.runs.record import Record, Score

RESAMPLES = 2_000

OVER_BOTH = "95 % bootstrap over seeds and queries"
OVER_QUERIES = "95 % bootstrap over queries"
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


def measured(line: Line, metric: str, runs: RunFolders, reading: str = "") -> Measured:
    """A row's mean and interval.

    With the folders of all its runs: a bootstrap over seeds and queries from three seeds on, of
    fewer seeds over queries alone. Without them the ends that the records have, averaged over the
    seeds, which rank the same queries. Raises `InvalidInput` for a run folder that is not what its
    record says.
    """
    try:
        rows = [runs.values(record, metric, reading) for record in line.records]
    except MissingRun:
        return recorded(scores_of(line, metric, reading))
    interval = bootstrapped(rows, line.records)
    if interval.low is None or interval.high is None:
        raise ValueError("a bootstrap with resamples has ends")
    kind = OVER_BOTH if len(rows) >= VERDICT_SEEDS else OVER_QUERIES
    return Measured(interval.value, interval.low, interval.high, kind)


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


def bootstrapped(values: list[NDArray[np.float64]], records: Sequence[Record]) -> Interval:
    """The mean of the values of queries, one vector a record; NaN drops a query."""
    rows, design = drawn_from([values], records)
    return paired_statistic(
        rows, lambda means: means[..., 0], design=design, resamples=RESAMPLES, seed=GENERATOR_SEED
    )
