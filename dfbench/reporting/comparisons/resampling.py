"""Computation of comparisons: a paired hierarchical bootstrap over seeds and queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.evaluation.bootstrap import Design, Interval, paired_statistic
from dfbench.records.record import Record
from dfbench.reporting.comparisons.comparison import (
    DENOMINATORS,
    STATISTICS,
    VERDICT_SEEDS,
    Comparison,
    Wanted,
)
from dfbench.reporting.run_folders import RunFolders

Rows = list[list[NDArray[np.float64]]]
"""Per-query values, by line and seed."""
RESAMPLES = 10_000
GENERATOR_SEED = 0


def compare(wanted: Wanted, runs: RunFolders, resamples: int = RESAMPLES) -> Comparison:
    """Compute the statistic with its 95 % interval.

    With three or more paired seeds, seeds and queries are resampled; with fewer, only queries,
    after averaging over the seeds. Where each seed has its own queries (`unseen=0.25`), these are
    resampled within the seed. A ratio or share gets no interval unless the interval of its
    denominator is positive; its mean must be. Raises `MissingRun` or `InvalidInput` for missing or
    unusable run folders.
    """
    rows = [
        [runs.values(record, wanted.metric, side.representation) for record in records]
        for side, records in zip(wanted.sides, wanted.records, strict=True)
    ]
    blocks, design = drawn_from(rows, wanted.records[0])
    statistic, denominator = STATISTICS[wanted.statistic], DENOMINATORS.get(wanted.statistic)
    if denominator is None or _positive(_interval(blocks, design, denominator, resamples)):
        interval = _interval(blocks, design, statistic, resamples)
    else:
        interval = Interval(float(statistic(*wanted.means)), None, None)
    first = wanted.records[0][0]
    return Comparison(
        statistic=wanted.statistic,
        dataset=first.data.name,
        scenario=first.scenario,
        metric=wanted.metric,
        definition=wanted.definition,
        sides=wanted.stored_sides,
        seeds=wanted.seeds,
        resamples=resamples,
        generator_seed=GENERATOR_SEED,
        value=interval.value,
        low=interval.low,
        high=interval.high,
    )


def drawn_from(rows: Rows, records: Sequence[Record]) -> tuple[Rows, Design]:
    """The values to resample: `rows[r][s]` belongs to line r and the seed of `records[s]`.

    Fewer than three seeds are not treated as a sample: values are averaged over the seeds if these
    share their queries, and concatenated otherwise.
    """
    shared = len({record.data.classes for record in records}) == 1
    if len(records) < VERDICT_SEEDS:
        joined = partial(np.mean, axis=0) if shared else np.concatenate
        return [[np.asarray(joined(row))] for row in rows], "crossed"
    return rows, "crossed" if shared else "nested"


def _interval(
    rows: Rows, design: Design, statistic: Callable[..., Any], resamples: int
) -> Interval:
    spread = partial(_spread, statistic)
    return paired_statistic(rows, spread, design=design, resamples=resamples, seed=GENERATOR_SEED)


def _spread(statistic: Callable[..., Any], means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(statistic(*np.moveaxis(means, -1, 0)))


def _positive(interval: Interval) -> bool:
    return interval.low is not None and interval.low > 0
