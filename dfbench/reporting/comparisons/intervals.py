"""95 % intervals by bootstrap: of comparisons, paired over seeds and queries, and of means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.evaluation.bootstrap import Design, Interval, paired_means, paired_statistic
from dfbench.records.record import Record, RecordedScore
from dfbench.reporting.comparisons.comparison import (
    DENOMINATORS,
    STATISTICS,
    VERDICT_SEEDS,
    Comparison,
    Wanted,
)
from dfbench.reporting.lines import Line
from dfbench.reporting.run_folders import MissingRun, RunFolders

Rows = list[list[NDArray[np.float64]]]
"""Per-query values, by line and seed."""
_RESAMPLES = 10_000
_GENERATOR_SEED = 0


def compare(wanted: Wanted, runs: RunFolders, resamples: int = _RESAMPLES) -> Comparison:
    """Compute the statistic with its 95 % interval.

    With three or more paired seeds, seeds and queries are resampled; with fewer, only queries,
    after averaging over the seeds. Where each seed has its own queries (`unseen=0.25`), these are
    resampled within the seed. A ratio or share gets no interval unless the interval of its
    denominator is positive; its mean must be. Raises `MissingRun` or `InvalidInput` for missing or
    unusable run folders.
    """
    rows = [
        [
            runs.values(record, wanted.metric, side.representation, side.reranker)
            for record in records
        ]
        for side, records in zip(wanted.sides, wanted.records, strict=True)
    ]
    blocks, design = _drawn_from(rows, wanted.records[0])
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
        generator_seed=_GENERATOR_SEED,
        value=interval.value,
        low=interval.low,
        high=interval.high,
    )


def _drawn_from(rows: Rows, records: Sequence[Record]) -> tuple[Rows, Design]:
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
    return paired_statistic(rows, spread, design=design, resamples=resamples, seed=_GENERATOR_SEED)


def _spread(statistic: Callable[..., Any], means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(statistic(*np.moveaxis(means, -1, 0)))


def _positive(interval: Interval) -> bool:
    return interval.low is not None and interval.low > 0


_MEAN_RESAMPLES = 2_000
_NAMED = 3

OVER_BOTH = "95 % bootstrap over seeds and queries"
OVER_QUERIES = "95 % bootstrap over queries"
FROM_THREE_SEEDS = f"{OVER_BOTH}; over queries only below three seeds"
RECORDED = f"{OVER_QUERIES}, interval ends averaged over seeds"


@dataclass(frozen=True)
class SeedMean:
    """The mean of a method over its seeds, with its interval and the kind of interval."""

    value: float
    low: float
    high: float
    kind: str

    @property
    def reach(self) -> tuple[float, float]:
        """Distances from the mean to the lower and upper end; never negative."""
        return max(0.0, self.value - self.low), max(0.0, self.high - self.value)


def measured(line: Line, metric: str, runs: RunFolders, representation: str = "") -> SeedMean:
    """Mean and interval of one method; see `measured_rows`."""
    (found,) = measured_rows([line], metric, runs, representation)
    return found


def measured_rows(
    lines: Sequence[Line], metric: str, runs: RunFolders, representation: str = ""
) -> list[SeedMean]:
    """Mean and interval of each line of one table; all lines must have the representation.

    From three seeds on, a bootstrap over seeds and queries if all run folders are present;
    otherwise each record's interval over queries, the ends averaged over the seeds. Lines do not
    affect each other. Raises `InvalidInput` for a run folder that disagrees with its record.
    """
    found = {
        number: recorded(scores_of(x, metric, representation)) for number, x in enumerate(lines)
    }
    values: dict[tuple[int, ...], dict[int, list[NDArray[np.float64]]]] = {}
    for number, line in enumerate(lines):
        if len(line.records) >= VERDICT_SEEDS:
            try:
                own = [runs.values(record, metric, representation) for record in line.records]
            except MissingRun:
                continue
            values.setdefault(tuple(line.by_seed), {})[number] = own
    for rows in values.values():
        records = lines[next(iter(rows))].records
        for number, one in zip(rows, _bootstrapped(list(rows.values()), records), strict=True):
            low, high = _ends(one)
            found[number] = SeedMean(one.value, low, high, OVER_BOTH)
    return list(found.values())


def scores_of(line: Line, metric: str, representation: str = "") -> list[RecordedScore]:
    """Recorded scores of a line, one per seed; empty if it lacks the representation."""
    representations = (
        r.representations.get(representation, {}) if representation else r.metrics
        for r in line.records
    )
    return [scores[metric] for scores in representations if metric in scores]


def recorded(scores: list[RecordedScore]) -> SeedMean:
    """Mean of the recorded scores of several seeds."""
    value, low, high = (
        fmean(getattr(s, part) for s in scores) for part in ("value", "low", "high")
    )
    return SeedMean(value, low, high, RECORDED if len(scores) > 1 else OVER_QUERIES)


def bootstrapped(values: list[NDArray[np.float64]], records: Sequence[Record]) -> Interval:
    """Bootstrap of the mean over per-query values, one vector per record; NaN drops a query."""
    (found,) = _bootstrapped([values], records)
    return found


def interval_lines(rows: Iterable[tuple[str, SeedMean]]) -> list[str]:
    """Caption lines that explain the intervals of a figure, one per kind of interval.

    With several kinds, each line also has the names of its methods, or their number above three.
    """
    kinds: dict[str, list[str]] = {}
    for name, one in rows:
        names = kinds.setdefault(one.kind, [])
        names += [] if name in names else [name]
    if len(kinds) == 1:
        return list(kinds)
    return [
        f"{kind} ({'; '.join(names) if len(names) <= _NAMED else f'{len(names)} methods'})"
        for kind, names in kinds.items()
    ]


def _bootstrapped(
    rows: list[list[NDArray[np.float64]]], records: Sequence[Record]
) -> list[Interval]:
    drawn, design = _drawn_from(rows, records)
    return paired_means(drawn, design=design, resamples=_MEAN_RESAMPLES, seed=_GENERATOR_SEED)


def _ends(interval: Interval) -> tuple[float, float]:
    if interval.low is None or interval.high is None:
        raise RuntimeError("a bootstrap with resamples has ends")
    return interval.low, interval.high
