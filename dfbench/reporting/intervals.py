"""The 95 % interval of one row's mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dfbench.evaluation.bootstrap import Interval, paired_statistic
from dfbench.reporting.comparison import VERDICT_SEEDS
from dfbench.reporting.lines import Line
from dfbench.reporting.per_query import MissingRun, RunFolders
from dfbench.reporting.recorded import Measured, recorded, scores_of
from dfbench.reporting.resampling import GENERATOR_SEED, drawn_from
from dfbench.runs.record import Record

RESAMPLES = 2_000

OVER_BOTH = "95 % bootstrap over seeds and queries"
OVER_QUERIES = "95 % bootstrap over queries"


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


def bootstrapped(values: list[NDArray[np.float64]], records: Sequence[Record]) -> Interval:
    """The mean of the values of queries, one vector a record; NaN drops a query."""
    rows, design = drawn_from([values], records)
    return paired_statistic(
        rows, lambda means: means[..., 0], design=design, resamples=RESAMPLES, seed=GENERATOR_SEED
    )
