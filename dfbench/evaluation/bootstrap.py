"""Bootstrap intervals: over queries of a result, over seeds and queries of a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dfbench.errors import InvalidInput, unknown_name

FloatArray = npt.NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its percentile interval at 95 %; the ends are None when none was computed."""

    value: float
    low: float | None
    high: float | None


def mean_intervals(values: FloatArray, resamples: int, seed: int) -> list[Interval]:
    """Interval of the mean of every column of `values` [Q, M]; all columns share the resamples.

    Queries are drawn with replacement; `resamples` = 0 gives no ends. Raises `InvalidInput` for a
    negative number of resamples.
    """
    if resamples < 0:
        raise InvalidInput(f"bootstrap is {resamples}; allowed: integers from 0; 1000 is usual")
    means = values.mean(axis=0)
    if not resamples:
        return [Interval(float(mean), None, None) for mean in means]
    generator = np.random.default_rng(seed)
    columns = np.ascontiguousarray(values.T)
    low, high = _ends(
        np.stack([columns @ _weights(generator, len(values)) for _ in range(resamples)])
    )
    return [Interval(*map(float, ends)) for ends in zip(means, low, high, strict=True)]


def paired_difference(
    first: Sequence[FloatArray],
    second: Sequence[FloatArray],
    *,
    design: Literal["crossed", "nested"] = "crossed",
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Mean of first - second over seeds and queries, with a paired hierarchical bootstrap interval.

    `first[s][q]` and `second[s][q]` are the values of two rows for seed s and query q; NaN on
    either side drops the pair. Each resample draws seeds with replacement, then queries: once for
    all seeds when every seed ranks the same queries (`crossed`, which keeps a query's effect
    common to the seeds), anew for each drawn seed when it has queries of its own (`nested`).
    Every seed weighs the same. Raises `InvalidInput` unless the shapes pair up.
    """
    if design not in _DESIGNS:
        raise unknown_name("design", design, _DESIGNS, "dfbench.evaluation.paired_difference")
    differences = _differences(first, second)
    if design == "crossed":
        differences = _common_queries(differences)
    else:
        differences = [row[~np.isnan(row)] for row in differences]
    if not all(len(row) for row in differences):
        raise InvalidInput(
            "a seed has no query with a value in both rows; allowed: at least one;"
            " leave that seed out of both rows"
        )
    generator = np.random.default_rng(seed)
    drawn = np.array([[_DESIGNS[design](generator, differences)] for _ in range(resamples)])
    low, high = _ends(drawn)
    value = float(np.mean([row.mean() for row in differences]))
    return Interval(value, float(low[0]), float(high[0]))


def _crossed(generator: np.random.Generator, differences: list[FloatArray]) -> float:
    weights = _weights(generator, len(differences[0]))
    seeds = generator.integers(len(differences), size=len(differences))
    return float(np.mean([weights @ differences[seed] for seed in seeds]))


def _nested(generator: np.random.Generator, differences: list[FloatArray]) -> float:
    seeds = generator.integers(len(differences), size=len(differences))
    chosen = [differences[seed] for seed in seeds]
    return float(np.mean([_weights(generator, len(row)) @ row for row in chosen]))


_DESIGNS = {"crossed": _crossed, "nested": _nested}


def _weights(generator: np.random.Generator, size: int) -> FloatArray:
    """How often each of `size` items is drawn in `size` draws, as shares that sum to 1."""
    return np.bincount(generator.integers(size, size=size), minlength=size) / size


def _ends(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high


def _differences(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> list[FloatArray]:
    sizes = [[np.shape(row) for row in side] for side in (first, second)]
    if sizes[0] != sizes[1] or not sizes[0] or any(len(shape) != 1 for shape in sizes[0]):
        raise InvalidInput(
            f"per-query values have shapes {sizes[0]} and {sizes[1]}; allowed: one vector a seed,"
            " equal on both sides; pair rows of the same seeds and queries"
        )
    return [np.asarray(a) - np.asarray(b) for a, b in zip(first, second, strict=True)]


def _common_queries(differences: list[FloatArray]) -> list[FloatArray]:
    if len({len(row) for row in differences}) > 1:
        raise InvalidInput(
            f"seeds have {[len(row) for row in differences]} queries; a crossed design needs the"
            " same queries for every seed; use design='nested'"
        )
    kept = ~np.isnan(np.stack(differences)).any(axis=0)
    return [row[kept] for row in differences]
