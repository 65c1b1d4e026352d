"""Bootstrap intervals: over queries for a result, over seeds and queries for a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dfbench.errors import InvalidInput, checked_seed, unknown_name, whole_number

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVEL = 0.95
MOST_RESAMPLES = 10**6
Design = Literal["crossed", "nested"]
_TOGETHER = 2**16
"""Queries drawn at a time."""
_TOGETHER_CROSSED = 2**11
"""The same between draws of seeds; of many queries, numpy draws them faster alone."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % percentile interval; the ends are None if none was computed."""

    value: float
    low: float | None
    high: float | None


def mean_intervals(values: FloatArray, resamples: int, seed: int) -> list[Interval]:
    """Interval of the mean of each column of `values` [Q, M]; all columns share the resamples.

    Queries are drawn with replacement; `resamples` = 0 gives no ends. Raises `InvalidInput` for a
    negative number of resamples.
    """
    if resamples < 0:
        raise InvalidInput(f"bootstrap is {resamples}; allowed: integers from 0; 1000 is usual")
    means = values.mean(axis=0)
    if not resamples:
        return [Interval(float(mean), None, None) for mean in means]
    generator = np.random.default_rng(checked_seed(seed))
    columns, size = np.ascontiguousarray(values.T), len(values)
    drawn: list[FloatArray] = []
    for count in _portions(resamples, _TOGETHER // size):
        weights = _frequencies(generator.integers(size, size=(count, size)))
        drawn.extend(columns @ row for row in weights)  # one product would round differently
    low, high = _ends(np.stack(drawn))
    return [Interval(*map(float, ends)) for ends in zip(means, low, high, strict=True)]


def paired_difference(
    first: Sequence[FloatArray],
    second: Sequence[FloatArray],
    *,
    design: Design = "crossed",
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Mean of first - second over seeds and queries, with a paired hierarchical bootstrap interval.

    `paired_statistic` for two methods; see there for the arguments.
    """
    rows = (first, second)
    return paired_statistic(rows, _difference, design=design, resamples=resamples, seed=seed)


def paired_statistic(
    rows: Sequence[Sequence[FloatArray]],
    statistic: Callable[[FloatArray], FloatArray],
    *,
    design: Design = "crossed",
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """A statistic of methods' means over seeds and queries, with a paired hierarchical interval.

    `rows[r][s][q]` is the value of method r for seed s and query q; NaN in any method drops the
    query for all. `statistic` maps means `[..., R]` to `[...]`. Each resample draws seeds with
    replacement, then queries: once for all seeds if every seed ranks the same queries (`crossed`,
    which keeps a query's effect common to the seeds), separately for each drawn seed if each has
    its own queries (`nested`). All methods share the draws, and all seeds have equal weight. Raises
    `InvalidInput` unless the shapes match.
    """
    blocks, drawn = _drawn(rows, design, resamples, seed)
    low, high = _ends(statistic(drawn))
    value = statistic(np.mean([block.mean(axis=1) for block in blocks], axis=0))
    return Interval(float(value), float(low), float(high))


def paired_means(
    rows: Sequence[Sequence[FloatArray]],
    *,
    design: Design = "crossed",
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Interval]:
    """The mean of each method over seeds and queries, with its hierarchical interval.

    Equals `paired_statistic` of each method alone, in one pass; see there for the arguments.
    """
    blocks, drawn = _drawn(rows, design, resamples, seed)
    means = np.mean([block.mean(axis=1) for block in blocks], axis=0)
    return [Interval(*map(float, ends)) for ends in zip(means, *_ends(drawn), strict=True)]


def _drawn(
    rows: Sequence[Sequence[FloatArray]], design: Design, resamples: int, seed: int
) -> tuple[list[FloatArray], FloatArray]:
    """The values `[R, Q]` of each seed, and the means `[resamples, R]` of the resamples."""
    whole_number("resamples", resamples, 1, MOST_RESAMPLES)
    checked_seed(seed)
    if design not in _DESIGNS:
        raise unknown_name("design", design, _DESIGNS, "dfbench.evaluation.paired_difference")
    blocks = _blocks(rows)
    if design == "crossed":
        blocks = _common_queries(blocks)
    else:
        blocks = [block[:, ~np.isnan(block).any(axis=0)] for block in blocks]
    if not all(block.shape[1] for block in blocks):
        raise InvalidInput(
            "a seed has no query with a value in every method; allowed: at least one;"
            " leave that seed out of all methods"
        )
    generator = np.random.default_rng(seed)
    return blocks, _DESIGNS[design](generator, blocks, resamples)


def _difference(means: FloatArray) -> FloatArray:
    first, second = np.moveaxis(means, -1, 0)
    return np.asarray(first - second)


def _crossed(
    generator: np.random.Generator, blocks: list[FloatArray], resamples: int
) -> FloatArray:
    """Means `[resamples, R]`."""
    values = np.concatenate(blocks)
    seeds: list[IntArray] = []
    means: list[FloatArray] = []
    for queries, some in _crossed_draws(generator, values.shape[1], len(blocks), resamples):
        seeds.append(some)
        means.extend(values @ weights for weights in _frequencies(queries))
    of_seeds = np.stack(means).reshape(resamples, len(blocks), -1)
    chosen = np.concatenate(seeds)[:, :, None]
    return np.asarray(np.take_along_axis(of_seeds, chosen, axis=1).mean(axis=1))


def _crossed_draws(
    generator: np.random.Generator, queries: int, seeds: int, resamples: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Queries `[N, queries]` and seeds `[N, seeds]` of N resamples at a time.

    The stream is the same for any N: the queries of a resample, then its seeds.
    """
    limits = np.repeat([queries, seeds], [queries, seeds])
    for count in _portions(resamples, _TOGETHER_CROSSED // queries):
        if count == 1:
            yield (
                generator.integers(queries, size=(1, queries)),
                generator.integers(seeds, size=(1, seeds)),
            )
        else:
            drawn = generator.integers(limits, size=(count, len(limits)))
            yield drawn[:, :queries], drawn[:, queries:]


def _nested(generator: np.random.Generator, blocks: list[FloatArray], resamples: int) -> FloatArray:
    """Means `[resamples, R]`."""
    return np.stack([_nested_means(generator, blocks) for _ in range(resamples)])


def _nested_means(generator: np.random.Generator, blocks: list[FloatArray]) -> FloatArray:
    """Means `[R]` of one resample."""
    seeds = generator.integers(len(blocks), size=len(blocks))
    chosen = [blocks[seed] for seed in seeds]
    sizes = [block.shape[1] for block in chosen]
    weights = [_frequencies(generator.integers(size, size=(1, size)))[0] for size in sizes]
    means = [block @ weight for block, weight in zip(chosen, weights, strict=True)]
    return np.asarray(np.mean(means, axis=0))


_DESIGNS = {"crossed": _crossed, "nested": _nested}


def _portions(resamples: int, most: int) -> Iterator[int]:
    """Counts of at least one and at most `most` that add up to `resamples`."""
    while resamples:
        count = min(resamples, max(1, most))
        yield count
        resamples -= count


def _frequencies(draws: IntArray) -> FloatArray:
    """Relative frequency of each of `size` items in each row of draws `[N, size]`."""
    count, size = draws.shape
    places = draws + size * np.arange(count)[:, None]
    counts = np.bincount(places.ravel(), minlength=count * size)
    return np.asarray(counts.reshape(count, size) / size)


def _ends(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high


def _blocks(rows: Sequence[Sequence[FloatArray]]) -> list[FloatArray]:
    """The values `[R, Q]` of each seed."""
    sizes = [[np.shape(values) for values in row] for row in rows]
    if (
        any(other != sizes[0] for other in sizes)
        or not sizes[0]
        or any(len(s) != 1 for s in sizes[0])
    ):
        raise InvalidInput(
            f"per-query values have shapes {' and '.join(map(str, sizes))}; allowed: one vector per"
            " seed, of equal length in all methods; pair methods by seed and query"
        )
    return [np.stack(values).astype(np.float64) for values in zip(*rows, strict=True)]


def _common_queries(blocks: list[FloatArray]) -> list[FloatArray]:
    if len({block.shape[1] for block in blocks}) > 1:
        raise InvalidInput(
            f"seeds have {[block.shape[1] for block in blocks]} queries; a crossed design needs the"
            " same queries for every seed; use design='nested'"
        )
    kept = ~np.isnan(np.stack(blocks)).any(axis=(0, 1))
    return [block[:, kept] for block in blocks]
