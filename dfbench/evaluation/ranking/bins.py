"""A table from bins of keys to the number of positives in lower bins: counts without sorting.

A key is an integer or a float32. The sorted keys of a query's positives divide the axis into
intervals. The table's entry for a bin, its *step*, is 2 i if the bin contains no positive and i
positives lie below it, and `SHARED` if it contains any. The first bin covers all keys below the
positives', the last all keys above.
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
"""Integer or float32 keys."""

SHARED = 1
"""Step of a bin that contains a positive: its photos must be compared by key."""
MAGIC = 1.5 * 2**23
"""float32 numbers near it are 1 apart: adding it rounds and leaves an integer in the low bits."""

_NARROWEST = 2.0**-120
_FIRST = int(np.float32(MAGIC).view(np.int32)) - 1


def step_type(most_positives: int) -> type[np.int16] | type[np.int32]:
    """The smallest type for the steps of so many positives; smaller types are gathered faster."""
    return np.int16 if 2 * most_positives <= np.iinfo(np.int16).max else np.int32


@dataclass(frozen=True)
class IntBins:
    """Bins of integers, given by their high bits."""

    start: np.int32
    """Start of the first bin if it were as wide as the others."""
    shift: int
    """Binary logarithm of the bin width."""

    @classmethod
    def of(cls, positives: IntKeys, bits: int) -> IntBins:
        """At most 2^bits bins over the range of ascending keys."""
        shift = max(0, (positives.item(-1) - positives.item(0)).bit_length() - bits)
        return cls(np.int32(max(positives.item(0) - (1 << shift), -(2**31))), shift)

    def held(self, positives: IntKeys) -> IntKeys:
        """Bins of the positives for which the bins were made."""
        return np.asarray((positives - self.start) >> self.shift)

    def place(self, keys: IntKeys, count: int, out: Tensor) -> None:
        """Write the bins of keys into `out`; keys beyond either end go to the first or last bin."""
        bins = out.numpy()
        np.subtract(keys, self.start, out=bins)
        np.right_shift(bins, self.shift, out=bins)
        out.clamp_(0, count - 1)


@dataclass(frozen=True)
class FloatBins:
    """Bins of float32: scaled and shifted to `MAGIC`, both monotone, then the low bits."""

    scale: np.float32
    """1 / width, a power of two."""
    move: np.float32
    """An integer that moves the first positive to `MAGIC`."""

    @classmethod
    def of(cls, positives: FloatKeys, bits: int) -> FloatBins:
        """About 2^bits bins over the range of ascending keys."""
        first, last = positives.item(0), positives.item(-1)
        # float32 represents `move` only below 2^24.
        width = max((last - first) / 2**bits, -first / 2**22, last / 2**24, _NARROWEST)
        scale = 2.0 ** -math.ceil(math.log2(width))
        return cls(np.float32(scale), np.float32(MAGIC - math.floor(first * scale)))

    def held(self, positives: FloatKeys) -> IntKeys:
        """Bins of the positives for which the bins were made."""
        return (positives * self.scale + self.move).view(np.int32) - np.int32(_FIRST)

    def place(self, keys: FloatKeys, count: int, out: Tensor) -> None:
        """Write the bins of keys into `out`; keys beyond either end go to the first or last bin."""
        bins = out.numpy()
        moved = bins.view(np.float32)
        # Overflow to infinity belongs in an outer bin.
        with np.errstate(over="ignore"):
            np.multiply(keys, self.scale, out=moved)
        np.add(moved, self.move, out=moved)
        # Clamp first: the bits of negative numbers are far below and would wrap.
        out.clamp_(_FIRST, _FIRST + count - 1)
        np.subtract(bins, np.int32(_FIRST), out=bins)


_AXES: dict[type, Any] = {np.int32: IntBins, np.float32: FloatBins}


@dataclass(frozen=True)
class BinTable:
    """Bins of equal width, a power of two, over the range of a query's positives."""

    axis: Any
    """`IntBins` or `FloatBins`, depending on the type of the keys."""
    steps: Tensor
    """The step of each bin."""
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
        """Write the steps of keys into `out`; returns the count of each step, int64.

        `bins` is int32 scratch memory for the bins of the keys.
        """
        self.axis.place(keys, len(self.steps), bins)
        torch.index_select(self.steps, 0, bins, out=out)
        return torch.bincount(out, minlength=self.end + 1)
