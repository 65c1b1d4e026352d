"""A table from bins of keys to the positives in lower bins: counts without a sort of the gallery.

The sorted keys of a query's positives cut the axis of keys into stretches. The table's entry for a
bin, its *step*, is 2 i where the bin holds no positive and i of them lie below, and `SHARED` where
it holds any. The first bin stands for all keys below the positives', the last for all keys above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

KeyArray = npt.NDArray[np.int32]

SHARED = 1
"""The step of a bin that holds a positive: for the photos in it the keys decide."""


def step_type(most_positives: int) -> type[np.int16] | type[np.int32]:
    """The smallest type for the steps of so many positives; less to gather is gathered faster."""
    return np.int16 if 2 * most_positives <= np.iinfo(np.int16).max else np.int32


@dataclass(frozen=True)
class BinTable:
    """Bins of equal width, a power of two of keys, over the range of a query's positives."""

    start: np.int32
    """Where the first bin would begin if it were as wide as the others."""
    shift: int
    """Binary logarithm of the width."""
    steps: Tensor
    """The step of every bin."""
    end: int
    """The step above all positives, the largest."""

    @classmethod
    def of(cls, positives: KeyArray, bits: int, dtype: npt.DTypeLike) -> BinTable:
        """The table of ascending keys, with at most 2^bits bins over their range."""
        spread = int(positives[-1]) - int(positives[0])
        shift = max(0, spread.bit_length() - bits)
        start = positives[0] - np.int32(1 << shift)
        held = (positives - start) >> shift
        edges = np.concatenate(([0], held, [held[-1] + 2]))
        steps = np.arange(0, 2 * len(edges) - 2, 2, dtype=dtype).repeat(edges[1:] - edges[:-1])
        steps[held] = SHARED
        return cls(start, shift, torch.from_numpy(steps), end=2 * len(positives))

    def bins(self, keys: KeyArray, out: KeyArray) -> None:
        """Bins of keys; beyond the table's ends for those that the first and last stand for."""
        np.subtract(keys, self.start, out=out)
        np.right_shift(out, self.shift, out=out)

    def look_up(self, bins: Tensor, out: Tensor) -> Tensor:
        """Steps of bins into `out`; how many there are of each, int64. Brings `bins` in range."""
        bins.clamp_(0, len(self.steps) - 1)
        torch.index_select(self.steps, 0, bins, out=out)
        return torch.bincount(out, minlength=self.end + 1)
