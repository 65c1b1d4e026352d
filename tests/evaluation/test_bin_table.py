"""The table of bins against a search: exact wherever a photo shares no bin with a positive."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.evaluation.ranking.bins import SHARED, BinTable, step_type

Keys = npt.NDArray[Any]
BASE = int(np.float32(1.5 * 2**23).view(np.int32))


def whole(rng: np.random.Generator, spread: int, positives: int) -> tuple[Keys, Keys]:
    """Positives and others as cosine has them: the bits of whole numbers beside 1.5 * 2^23."""
    own = rng.integers(-spread, spread, size=positives)
    others = rng.integers(-(2**20), 2**20, size=200)
    return (BASE + own).astype(np.int32), (BASE + others).astype(np.int32)


def bits_of_products(rng: np.random.Generator, spread: int, positives: int) -> tuple[Keys, Keys]:
    """Positives and others as products without cancellation have them: bits of all sizes."""
    own, others = (
        (10 ** rng.uniform(-37, 18, size=size) / spread).astype(np.float32).view(np.int32)
        for size in (positives, 200)
    )
    return -5 - own | 7, -5 - others | 7


def of_all_sizes(rng: np.random.Generator, spread: int, positives: int) -> tuple[Keys, Keys]:
    """Positives and others of both signs whose sizes differ by many powers of ten."""
    own, others = (
        rng.normal(size=size) * 10 ** rng.uniform(-20, 15, size=size) for size in (positives, 200)
    )
    return (own / spread).astype(np.float32), others.astype(np.float32)


@settings(max_examples=200, deadline=None)
@given(
    made=st.sampled_from([whole, bits_of_products, of_all_sizes]),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1, 3, 300, 2**20]),
    positives=st.integers(1, 60),
    bits=st.integers(1, 12),
    dtype=st.sampled_from([np.int16, np.int32]),
)
def test_step_is_twice_the_positives_below_or_odd_where_a_positive_shares_the_bin(
    made: Callable[[np.random.Generator, int, int], tuple[Keys, Keys]],
    seed: int,
    spread: int,
    positives: int,
    bits: int,
    dtype: type[np.int16] | type[np.int32],
) -> None:
    own, others = made(np.random.default_rng(seed), spread, positives)
    own.sort()
    beside = [own - 1, own + 1]
    if own.dtype == np.float32:
        beside = [np.nextafter(own, np.float32(end)) for end in (-np.inf, np.inf)]
    values = np.concatenate([others, own, *beside])
    table = BinTable.of(own, bits, dtype)
    steps = torch.empty(len(values), dtype=table.steps.dtype)
    places = torch.empty(len(values), dtype=torch.int32)
    counts = table.look_up(values, places, out=steps)
    bins = places.numpy()
    shared = np.isin(bins, bins[len(others) : len(others) + positives])
    np.testing.assert_array_equal(steps.numpy()[shared], SHARED)
    np.testing.assert_array_equal(steps.numpy()[~shared], 2 * own.searchsorted(values[~shared]))
    np.testing.assert_array_equal(counts, np.bincount(steps.numpy(), minlength=2 * positives + 1))
    assert len(table.steps) <= 2**bits + 4


@pytest.mark.parametrize("values", [[0.0], [-1e-38], [3e18, 3e18], [-2e36, 2e36], [1e-37, 1e-37]])
def test_positives_at_any_end_of_float32_fall_into_shared_bins(values: list[float]) -> None:
    own = np.array(values, np.float32)
    table = BinTable.of(own, 18, np.int32)
    bins, steps = torch.empty((2, len(own)), dtype=torch.int32)
    table.look_up(own, bins, out=steps)
    assert steps.tolist() == [SHARED] * len(own)


@pytest.mark.parametrize("positives", [1, 2**14 - 1, 2**14, 10**6])
def test_steps_of_all_positives_fit_their_type(positives: int) -> None:
    assert 2 * positives <= np.iinfo(step_type(positives)).max
