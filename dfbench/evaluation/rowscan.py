"""One query's products into the places of its positives: round, tag, sort, read off.

The products become integers by one addition (a float32 near 1.5 * 2^23 has a step of 1, so adding
that rounds to the nearest integer and leaves it in the low bits), are doubled, and those of
positives lowered by 1. After a sort of bare keys the odd entries are the positives, first in their
tie groups. Their indices are the counts that every metric follows from, so nothing is searched
for except the ends of the groups that hold both kinds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dfbench.evaluation.labels import IntArray
from dfbench.evaluation.similarity import KEY_STEPS, Scoring

FloatArray = npt.NDArray[np.float32]
KeyArray = npt.NDArray[np.int32]

_MAGIC = np.float32(1.5 * 2**23)
_LEVELS = 2 * (KEY_STEPS + 4)
"""Distinct keys, with room for a product that passes 1 by its rounding error."""
_LOWEST = np.int32((int(_MAGIC.view(np.int32)) << 1) - 2**32 >> 1) - np.int32(_LEVELS // 2)
"""Half of a tagged key never lies below this; the doubling drops the sign bit of the pattern."""


@dataclass(frozen=True)
class Row:
    """The tie groups of one query that hold a positive, best first, each [groups]."""

    above: IntArray
    """n: photos ranked strictly above the group."""
    positives_above: IntArray
    """p: positives ranked strictly above the group."""
    size: IntArray
    """g: photos in the group."""
    positives: IntArray
    """r: positives in the group."""
    rank: IntArray | None
    """Rank of each positive, from 1, [R], when tied photos keep the gallery's order; if asked."""


class RowScan:
    """Scans rows of one gallery, reusing its buffers; one instance serves one thread.

    `reach` is the rank down to which `Row.rank` must be right; 0 leaves it out.
    """

    def __init__(self, scoring: Scoring, reach: int) -> None:
        self._photo_scale = _numpy(scoring.photo_scale)
        self._bias = scoring.bias
        self._square = _numpy(scoring.bias.square) if scoring.bias else None
        self._twins = scoring.twins
        self._reach = reach
        n_photos = len(scoring.gallery)
        # Two more keys, larger than any, stand for the end of the gallery.
        self._buffer = np.full(n_photos + 2, np.iinfo(np.int32).max, dtype=np.int32)
        self._keys = self._buffer[:-2]
        self._tags = np.empty(n_photos, dtype=np.int32)
        self._marks = np.zeros(-(-n_photos // 8) * 8, dtype=np.bool_)
        self._chosen = np.zeros(_LEVELS if reach else 0, dtype=np.bool_)

    def __call__(self, query: int, products: FloatArray, photos: IntArray) -> Row:
        """Scan the products [G] of a query whose positives are `photos`, ascending."""
        self._round(query, products, out=self._keys)
        self._keys[photos] -= 1
        unsorted = self._keys.copy() if self._reach else None
        self._keys.sort()
        return self._read(unsorted)

    def _round(self, query: int, products: FloatArray, out: KeyArray) -> None:
        values = out.view(np.float32)
        if self._photo_scale is not None:
            products = np.multiply(products, self._photo_scale, out=values)
        if self._bias is not None and self._square is not None:
            shift = np.multiply(self._square, np.float32(self._bias.slope[query]))
            shift += products
            products = np.add(shift, np.float32(self._bias.constant[query]), out=values)
        np.add(products, _MAGIC, out=values)
        if self._twins is not None:
            out[self._twins.copies.numpy()] = out[self._twins.originals.numpy()]
        np.left_shift(out, 1, out=out)

    def _read(self, unsorted: KeyArray | None) -> Row:
        place = self._places()
        key = self._keys.take(place)
        start = _run_starts(key)
        positives = np.empty_like(start)
        np.subtract(start[1:], start[:-1], out=positives[:-1])
        positives[-1] = len(key) - start[-1]
        above = place.take(start)
        tied = key.take(start) + 1
        negatives, mixed = self._tied_negatives(tied, above + positives)
        size = positives.copy()
        size[mixed] += negatives
        if unsorted is None:
            return Row(above, start, size, positives, None)
        rank = place + 1
        mixed = mixed[: above[mixed].searchsorted(self._reach)]
        if len(mixed):
            wanted = _ranges(start[mixed], positives[mixed])
            rank[wanted] = self._ranks(tied[mixed], above[mixed], size[mixed], unsorted)
        return Row(above, start, size, positives, rank)

    def _tied_negatives(self, tied: KeyArray, end: IntArray) -> tuple[IntArray, IntArray]:
        """How many keys `tied` stand from `end` on, and in which groups any do.

        Most often it is one: looking at the next key spares those a search.
        """
        mixed = (self._buffer.take(end) == tied).nonzero()[0]
        tied, end = tied.take(mixed), end.take(mixed)
        negatives = np.ones_like(mixed)
        several = (self._buffer.take(end + 1) == tied).nonzero()[0]
        last = self._keys.searchsorted(tied.take(several), side="right")
        negatives[several] = last - end.take(several)
        return negatives, mixed

    def _places(self) -> IntArray:
        """Indices of the odd keys; eight flags at a time, since they are sparse."""
        np.bitwise_and(self._keys, 1, out=self._tags)
        np.not_equal(self._tags, 0, out=self._marks[: len(self._tags)])
        words = self._marks.view(np.uint64)
        at = (words != 0).nonzero()[0]
        within = words.take(at).view(np.bool_).nonzero()[0]
        places: IntArray = (at.take(within >> 3) << 3) + (within & 7)
        return places

    def _ranks(
        self, tied: KeyArray, above: IntArray, size: IntArray, unsorted: KeyArray
    ) -> IntArray:
        """Ranks in gallery order of the positives in these mixed groups, flat, best first."""
        levels = (tied >> 1) - _LOWEST
        self._chosen[levels] = True
        members = np.flatnonzero(self._chosen.take((unsorted + 1 >> 1) - _LOWEST))
        self._chosen[levels] = False
        # Members of one group become neighbours, in gallery order; a tag tells the positives.
        order = unsorted[members].astype(np.int64) + 1 >> 1 << 32 | members
        order.sort()
        ranks = _ranges(above + 1, size)
        of_positives: IntArray = ranks[unsorted[order & 0xFFFFFFFF] & 1 == 1]
        return of_positives


def _run_starts(values: KeyArray) -> IntArray:
    first = np.empty(len(values), dtype=np.bool_)
    first[0] = True
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first.nonzero()[0]


def _ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """The concatenation of start, start + 1, ... of the given lengths."""
    ends = lengths.cumsum()
    ranges: IntArray = np.arange(lengths.sum()) + np.repeat(starts - ends + lengths, lengths)
    return ranges


def _numpy(values: object) -> FloatArray | None:
    return None if values is None else np.asarray(values)
