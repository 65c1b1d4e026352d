"""The table of bins against a search: exact wherever a photo shares no bin with a positive."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.evaluation.bins import SHARED, BinTable, step_type

BASE = int(np.float32(1.5 * 2**23).view(np.int32))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1, 3, 300, 2**20]),
    positives=st.integers(1, 60),
    bits=st.integers(1, 12),
    dtype=st.sampled_from([np.int16, np.int32]),
)
def test_step_is_twice_the_positives_below_or_odd_where_a_positive_shares_the_bin(
    seed: int, spread: int, positives: int, bits: int, dtype: type[np.int16] | type[np.int32]
) -> None:
    rng = np.random.default_rng(seed)
    own = BASE + np.sort(rng.integers(-spread, spread, size=positives)).astype(np.int32)
    keys = BASE + rng.integers(-(2**20), 2**20, size=200).astype(np.int32)
    keys = np.concatenate([keys, own, own - 1, own + 1]).astype(np.int32)
    table = BinTable.of(own, bits, dtype)
    bins, steps = np.empty_like(keys), torch.empty(len(keys), dtype=table.steps.dtype)
    table.bins(keys, out=bins)
    counts = table.look_up(torch.from_numpy(bins), out=steps)
    shared = np.isin((keys - table.start) >> table.shift, (own - table.start) >> table.shift)
    np.testing.assert_array_equal(steps.numpy()[shared], SHARED)
    np.testing.assert_array_equal(steps.numpy()[~shared], 2 * own.searchsorted(keys[~shared]))
    np.testing.assert_array_equal(counts, np.bincount(steps.numpy(), minlength=2 * positives + 1))
    assert len(table.steps) <= 2**bits + 3


@pytest.mark.parametrize("positives", [1, 2**14 - 1, 2**14, 10**6])
def test_steps_of_all_positives_fit_their_type(positives: int) -> None:
    assert 2 * positives <= np.iinfo(step_type(positives)).max
