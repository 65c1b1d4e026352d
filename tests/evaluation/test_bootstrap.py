"""Intervals: reproducible, of the stated coverage, and paired where rows are paired."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dfbench.errors import InvalidInput, UnknownName
from dfbench.evaluation import evaluate, paired_difference
from dfbench.evaluation.bootstrap import LEVEL, mean_intervals, paired_means, paired_statistic

Side = npt.NDArray[Any]


def test_interval_is_that_of_the_normal_approximation_for_many_queries() -> None:
    values = np.random.default_rng(0).beta(2, 3, size=(4000, 2))
    for interval, column in zip(mean_intervals(values, 2000, seed=1), values.T, strict=True):
        reach = 1.96 * column.std() / np.sqrt(len(column))
        assert interval.value == pytest.approx(column.mean())
        assert interval.low == pytest.approx(column.mean() - reach, abs=0.1 * reach)
        assert interval.high == pytest.approx(column.mean() + reach, abs=0.1 * reach)


def test_interval_follows_from_the_seed_alone() -> None:
    values = np.random.default_rng(0).random((50, 1))
    assert mean_intervals(values, 100, seed=3) == mean_intervals(values, 100, seed=3)
    assert mean_intervals(values, 100, seed=3) != mean_intervals(values, 100, seed=4)


def test_no_resamples_give_no_ends() -> None:
    (interval,) = mean_intervals(np.ones((3, 1)), 0, seed=0)
    assert (interval.value, interval.low, interval.high) == (1, None, None)


def test_a_metric_has_the_same_interval_whatever_else_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(40, 5)), rng.normal(size=(90, 5))
    labels = rng.integers(3, size=40), rng.integers(3, size=90)
    alone = evaluate(*sides, *labels, metrics=("map@all",), seed=5).scores["map@all"]
    among = evaluate(*sides, *labels, metrics=("acc@1", "map@all"), seed=5).scores["map@all"]
    assert alone.low == pytest.approx(among.low, abs=1e-12)
    assert alone.high == pytest.approx(among.high, abs=1e-12)
    assert alone.low < alone.value < alone.high


def test_pairing_sees_a_small_constant_gain_through_large_differences_of_queries() -> None:
    rng = np.random.default_rng(0)
    second = [rng.random(200) for _ in range(3)]
    first = [row + 0.01 + rng.normal(scale=0.01, size=200) for row in second]
    interval = paired_difference(first, second, resamples=500)
    assert interval.low > 0
    assert interval.value == pytest.approx(0.01, abs=0.003)


def test_crossed_design_keeps_an_effect_of_the_query_common_to_the_seeds() -> None:
    effect = np.random.default_rng(0).normal(size=300)
    first, second = [effect] * 5, [np.zeros(300)] * 5
    crossed = paired_difference(first, second, design="crossed", resamples=800)
    nested = paired_difference(first, second, design="nested", resamples=800)
    width = crossed.high - crossed.low
    assert width == pytest.approx(2 * 1.96 * effect.std() / np.sqrt(300), rel=0.15)
    assert nested.high - nested.low < 0.7 * width


def test_few_seeds_that_disagree_widen_the_interval() -> None:
    same = [np.full(100, 0.1)] * 4
    apart = [np.full(100, gain) for gain in (-0.2, 0.0, 0.2, 0.4)]
    zero = [np.zeros(100)] * 4
    agreed = paired_difference(same, zero, resamples=200)
    assert agreed.high - agreed.low == pytest.approx(0)
    assert paired_difference(apart, zero, resamples=200).low < 0


def test_queries_without_a_value_are_dropped_from_both_rows() -> None:
    first = [np.array([0.5, np.nan, 0.7]), np.array([0.5, 0.2, 0.7])]
    second = [np.array([0.4, 0.3, 0.6]), np.array([0.4, 0.3, 0.6])]
    assert paired_difference(first, second, resamples=50).value == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([np.ones(3)], [np.ones(4)], "shapes"),
        ([], [], "shapes"),
        ([np.ones(3), np.ones(4)], [np.ones(3), np.ones(4)], "design='nested'"),
        ([np.full(3, np.nan)], [np.ones(3)], "no query with a value"),
    ],
)
def test_rows_that_do_not_pair_are_refused(
    first: list[Side], second: list[Side], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        paired_difference(first, second)


def test_statistic_of_several_rows_draws_the_same_queries_for_all() -> None:
    rng = np.random.default_rng(0)
    whole = [0.5 + rng.random(200) for _ in range(3)]
    half = [row / 2 for row in whole]
    ratio = paired_statistic([half, whole], lambda m: m[..., 0] / m[..., 1], resamples=200)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_difference_is_the_statistic_of_two_rows() -> None:
    rng = np.random.default_rng(0)
    rows = [[rng.random(50) for _ in range(3)] for _ in range(2)]
    difference = paired_difference(*rows, resamples=100, seed=4)
    same = paired_statistic(rows, lambda m: m[..., 0] - m[..., 1], resamples=100, seed=4)
    assert difference == same


def test_a_query_without_a_value_in_one_row_is_dropped_from_all_rows() -> None:
    rows = [[np.array([0.2, np.nan])], [np.array([0.4, 0.9])], [np.array([0.8, 0.1])]]
    total = paired_statistic(rows, lambda m: m.sum(axis=-1), resamples=20)
    assert total.value == pytest.approx(1.4)


def test_unknown_design_is_refused() -> None:
    with pytest.raises(UnknownName, match="crossed"):
        paired_difference([np.ones(3)], [np.ones(3)], design="cross")


def _resampled(generator: np.random.Generator, size: int) -> Side:
    return np.bincount(generator.integers(size, size=size), minlength=size) / size


@pytest.mark.parametrize("size", [1, 2, 7, 36, 500, 3000])
def test_recorded_ends_are_those_of_resamples_drawn_one_by_one(size: int) -> None:
    """To the last digit, because they enter the digest of a record."""
    values = np.random.default_rng(size).random((size, 5))
    generator = np.random.default_rng(3)
    columns = np.ascontiguousarray(values.T)
    drawn = np.stack([columns @ _resampled(generator, size) for _ in range(150)])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    found = mean_intervals(values, 150, 3)
    assert [(one.low, one.high) for one in found] == list(zip(low, high, strict=True))


@pytest.mark.parametrize("queries", [1, 2, 36, 300, 1500, 3000])
@pytest.mark.parametrize("seeds", [1, 3])
def test_crossed_means_are_those_of_resamples_drawn_one_by_one(queries: int, seeds: int) -> None:
    values = np.random.default_rng(queries).random((2, seeds, queries))
    generator = np.random.default_rng(3)
    drawn = []
    for _ in range(150):
        weights = _resampled(generator, queries)
        chosen = generator.integers(seeds, size=seeds)
        drawn.append(np.mean([values[:, seed] @ weights for seed in chosen], axis=0))
    ends = np.quantile(drawn, [0.025, 0.975], axis=0).T
    found = paired_means([list(row) for row in values], resamples=150, seed=3)
    assert np.allclose([(one.low, one.high) for one in found], ends, rtol=0, atol=1e-12)
