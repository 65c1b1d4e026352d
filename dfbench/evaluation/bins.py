"""A table from bins of values to the positives in lower bins: counts without a sort of the gallery.

The sorted values of a query's positives cut the axis into stretches. The table's entry for a
bin, its *step*, is 2 i where the bin holds no positive and i of them lie below, and `SHARED` where
it holds any. The first bin stands for all values below the positives', the last for all above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ValueArray = npt.NDArray[np.float32]
BinArray = npt.NDArray[np.int32]

SHARED = 1
"""The step of a bin that holds a positive: for the photos in it the values decide."""
MAGIC = 1.5 * 2**23
"""A float32 near it has a step of 1: adding it rounds and leaves an integer in the low bits."""

_NARROWEST = 2.0**-120
_FIRST = int(np.float32(MAGIC).view(np.int32)) - 1


def step_type(most_positives: int) -> type[np.int16] | type[np.int32]:
    """The smallest type for the steps of so many positives; less to gather is gathered faster."""
    return np.int16 if 2 * most_positives <= np.iinfo(np.int16).max else np.int32


@dataclass(frozen=True)
class WholeBins:
    """Bins of values that are whole numbers plus `MAGIC`: their bits, shifted."""

    start: np.int32
    """Where the first bin would begin if it were as wide as the others."""
    shift: int
    """Binary logarithm of the width."""

    @classmethod
    def of(cls, positives: ValueArray, bits: int) -> WholeBins:
        """At most 2^bits bins over the range of ascending values."""
        keys = positives.view(np.int32)
        shift = max(0, (keys.item(-1) - keys.item(0)).bit_length() - bits)
        return cls(np.int32(keys.item(0) - (1 << shift)), shift)

    def held(self, positives: ValueArray) -> BinArray:
        """Bins of the positives that the bins were made for."""
        return (positives.view(np.int32) - self.start) >> self.shift

    def place(self, values: ValueArray, count: int, out: Tensor) -> None:
        """Bins of values into `out`, those beyond either end in the first or last of `count`."""
        bins = out.numpy()
        np.subtract(values.view(np.int32), self.start, out=bins)
        np.right_shift(bins, self.shift, out=bins)
        out.clamp_(0, count - 1)


@dataclass(frozen=True)
class ScaledBins:
    """Bins of any values: scaled and moved to `MAGIC`, both monotone, then their low bits."""

    scale: np.float32
    """1 / width, a power of two."""
    move: np.float32
    """A whole number that puts the first positive at `MAGIC`."""

    @classmethod
    def of(cls, positives: ValueArray, bits: int) -> ScaledBins:
        """At most 2^bits bins over the range of ascending values."""
        first, last = positives.item(0), positives.item(-1)
        # float32 holds `move` only below 2^24.
        width = max((last - first) / 2**bits, -first / 2**22, last / 2**24, _NARROWEST)
        scale = 2.0 ** -math.ceil(math.log2(width))
        return cls(np.float32(scale), np.float32(MAGIC - math.floor(first * scale)))

    def held(self, positives: ValueArray) -> BinArray:
        """Bins of the positives that the bins were made for."""
        return (positives * self.scale + self.move).view(np.int32) - np.int32(_FIRST)

    def place(self, values: ValueArray, count: int, out: Tensor) -> None:
        """Bins of values into `out`, those beyond either end in the first or last of `count`."""
        bins = out.numpy()
        moved = bins.view(np.float32)
        # What overflows to infinity belongs into an outer bin.
        with np.errstate(over="ignore"):
            np.multiply(values, self.scale, out=moved)
        np.add(moved, self.move, out=moved)
        # Clamped first: the bits of negative numbers are far below, and would wrap.
        out.clamp_(_FIRST, _FIRST + count - 1)
        np.subtract(bins, np.int32(_FIRST), out=bins)


@dataclass(frozen=True)
class BinTable:
    """Bins of equal width, a power of two, over the range of a query's positives."""

    axis: WholeBins | ScaledBins
    steps: Tensor
    """The step of every bin."""
    end: int
    """The step above all positives, the largest."""

    @classmethod
    def of(cls, positives: ValueArray, bits: int, dtype: npt.DTypeLike, *, whole: bool) -> BinTable:
        """The table of ascending values, `whole` if they are whole numbers plus `MAGIC`."""
        axis = (WholeBins if whole else ScaledBins).of(positives, bits)
        held = axis.held(positives)
        edges = np.concatenate(([0], held, [held[-1] + 2]))
        steps = np.arange(0, 2 * len(edges) - 2, 2, dtype=dtype).repeat(edges[1:] - edges[:-1])
        steps[held] = SHARED
        return cls(axis, torch.from_numpy(steps), end=2 * len(positives))

    def look_up(self, values: ValueArray, bins: Tensor, out: Tensor) -> Tensor:
        """Steps of values into `out`; how many there are of each, int64.

        `bins` is int32 memory for the bins of the values.
        """
        self.axis.place(values, len(self.steps), bins)
        torch.index_select(self.steps, 0, bins, out=out)
        return torch.bincount(out, minlength=self.end + 1)
