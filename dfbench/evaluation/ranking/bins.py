"""A table from bins of keys to the positives in lower bins: counts without a sort of the gallery.

A key is an integer or a float32. The sorted keys of a query's positives cut the axis into
stretches. The table's entry for a bin, its *step*, is 2 i where the bin holds no positive and i of
them lie below, and `SHARED` where it holds any. The first bin stands for all keys below the
positives', the last for all above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntKeys = npt.NDArray[np.int32]
FloatKeys = npt.NDArray[np.float32]
Keys: TypeAlias = npt.NDArray[Any]
"""Either of the two."""

SHARED = 1
"""The step of a bin that holds a positive: for the photos in it the keys decide."""
MAGIC = 1.5 * 2**23
"""A float32 near it has a step of 1: adding it rounds and leaves an integer in the low bits."""

_NARROWEST = 2.0**-120
_FIRST = int(np.float32(MAGIC).view(np.int32)) - 1


def step_type(most_positives: int) -> type[np.int16] | type[np.int32]:
    """The smallest type for the steps of so many positives; less to gather is gathered faster."""
    return np.int16 if 2 * most_positives <= np.iinfo(np.int16).max else np.int32


@dataclass(frozen=True)
class IntBins:
    """Bins of integers: their high bits."""

    start: np.int32
    """Where the first bin would begin if it were as wide as the others."""
    shift: int
    """Binary logarithm of the width."""

    @classmethod
    def of(cls, positives: IntKeys, bits: int) -> IntBins:
        """At most 2^bits bins over the range of ascending keys."""
        shift = max(0, (positives.item(-1) - positives.item(0)).bit_length() - bits)
        return cls(np.int32(max(positives.item(0) - (1 << shift), -(2**31))), shift)

    def held(self, positives: IntKeys) -> IntKeys:
        """Bins of the positives that the bins were made for."""
        return np.asarray((positives - self.start) >> self.shift)

    def place(self, keys: IntKeys, count: int, out: Tensor) -> None:
        """Bins of keys into `out`, those beyond either end in the first or last of `count`."""
        bins = out.numpy()
        np.subtract(keys, self.start, out=bins)
        np.right_shift(bins, self.shift, out=bins)
        out.clamp_(0, count - 1)


@dataclass(frozen=True)
class FloatBins:
    """Bins of float32: scaled and moved to `MAGIC`, both monotone, then the low bits."""

    scale: np.float32
    """1 / width, a power of two."""
    move: np.float32
    """A whole number that puts the first positive at `MAGIC`."""

    @classmethod
    def of(cls, positives: FloatKeys, bits: int) -> FloatBins:
        """About 2^bits bins over the range of ascending keys."""
        first, last = positives.item(0), positives.item(-1)
        # float32 holds `move` only below 2^24.
        width = max((last - first) / 2**bits, -first / 2**22, last / 2**24, _NARROWEST)
        scale = 2.0 ** -math.ceil(math.log2(width))
        return cls(np.float32(scale), np.float32(MAGIC - math.floor(first * scale)))

    def held(self, positives: FloatKeys) -> IntKeys:
        """Bins of the positives that the bins were made for."""
        return (positives * self.scale + self.move).view(np.int32) - np.int32(_FIRST)

    def place(self, keys: FloatKeys, count: int, out: Tensor) -> None:
        """Bins of keys into `out`, those beyond either end in the first or last of `count`."""
        bins = out.numpy()
        moved = bins.view(np.float32)
        # What overflows to infinity belongs into an outer bin.
        with np.errstate(over="ignore"):
            np.multiply(keys, self.scale, out=moved)
        np.add(moved, self.move, out=moved)
        # Clamped first: the bits of negative numbers are far below, and would wrap.
        out.clamp_(_FIRST, _FIRST + count - 1)
        np.subtract(bins, np.int32(_FIRST), out=bins)


_AXES: dict[type, Any] = {np.int32: IntBins, np.float32: FloatBins}


@dataclass(frozen=True)
class BinTable:
    """Bins of equal width, a power of two, over the range of a query's positives."""

    axis: Any
    """`IntBins` or `FloatBins`, after the type of the keys."""
    steps: Tensor
    """The step of every bin."""
    end: int
    """The step above all positives, the largest."""

    @classmethod
    def of(cls, positives: Keys, bits: int, dtype: npt.DTypeLike) -> BinTable:
        """The table of ascending keys, with about 2^bits bins over their range."""
        axis = _AXES[positives.dtype.type].of(positives, bits)
        held = axis.held(positives)
        edges = np.concatenate(([0], held, [held[-1] + 2]))
        steps = np.arange(0, 2 * len(edges) - 2, 2, dtype=dtype).repeat(edges[1:] - edges[:-1])
        steps[held] = SHARED
        return cls(axis, torch.from_numpy(steps), end=2 * len(positives))

    def look_up(self, keys: Keys, bins: Tensor, out: Tensor) -> Tensor:
        """Steps of keys into `out`; how many there are of each, int64.

        `bins` is int32 memory for the bins of the keys.
        """
        self.axis.place(keys, len(self.steps), bins)
        torch.index_select(self.steps, 0, bins, out=out)
        return torch.bincount(out, minlength=self.end + 1)
