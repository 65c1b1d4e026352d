"""Comparisons made: the paired hierarchical bootstrap over seeds and queries of run folders."""

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
"""By row and seed, a value a query."""
RESAMPLES = 10_000
GENERATOR_SEED = 0


def compare(wanted: Wanted, runs: RunFolders, resamples: int = RESAMPLES) -> Comparison:
    """The statistic with its 95 % interval.

    From three paired seeds on, seeds and queries are drawn; of fewer seeds queries alone, of their
    mean. Where each seed has queries of its own (`unseen=0.25`), they are drawn within their seed.
    A ratio or share whose denominator is not clearly positive (its mean has to be) gets no
    interval. Raises `MissingRun` or `InvalidInput` for what the runs lack.
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
    """What a bootstrap draws from: `rows[r][s]` is of row r and the seed of `records[s]`.

    Below three seeds these are no sample: queries that the seeds share are averaged over them,
    queries of their own are put together.
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
