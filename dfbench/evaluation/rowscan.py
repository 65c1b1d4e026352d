"""One query's products into the counts of its positives: round, look up, count.

The products become integers by one addition (a float32 near 1.5 * 2^23 has a step of 1, so adding
that rounds to the nearest integer and leaves it in the low bits). All that a metric needs follows
from how many negatives stand behind each number of positives. A table of bins tells that number
for nearly all photos in one gather; the few negatives that share a bin with a positive are
searched for among the positives. Only those few and the positives are sorted: a sort of the row
costs as much as all of this on some processors and five times as much on others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dfbench.evaluation.bins import SHARED, BinTable, KeyArray, step_type
from dfbench.evaluation.labels import IntArray
from dfbench.evaluation.similarity import Scoring

FloatArray = npt.NDArray[np.float32]

_MAGIC = np.float32(1.5 * 2**23)


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

    `most_positives` is the largest R of any query; `ordered` asks for `Row.rank`; torch is given
    `at_once` photos at a time.
    """

    def __init__(
        self, scoring: Scoring, most_positives: int, *, ordered: bool, at_once: int
    ) -> None:
        self._photo_scale = _numpy(scoring.photo_scale)
        self._bias = scoring.bias
        self._square = _numpy(scoring.bias.square) if scoring.bias else None
        self._twins = scoring.twins
        self._ordered = ordered
        n_photos = len(scoring.gallery)
        # Some five bins a photo: more cost as much to fill as they save in searches.
        self._table_bits = n_photos.bit_length() + 2
        self._values = np.empty(n_photos, dtype=np.float32)
        self._bins = np.empty(n_photos, dtype=np.int32)
        self._steps = np.empty(n_photos, dtype=step_type(most_positives))
        parts = [torch.split(torch.from_numpy(a), at_once) for a in (self._bins, self._steps)]
        self._parts = list(zip(*parts, strict=True))

    def __call__(self, query: int, products: FloatArray, photos: IntArray) -> Row:
        """Scan the products [G] of a query whose positives are `photos`, ascending."""
        keys = self._rounded(query, products)
        positives = keys.take(photos)
        positives.sort()
        behind = self._behind(keys, positives)
        self._steps[photos] = 0
        shared = np.flatnonzero(self._steps == SHARED)
        negatives = keys.take(shared)
        negatives.sort()
        rank = self._ranks(keys, behind, photos, shared) if self._ordered else None
        return _tie_groups(positives, negatives, behind, rank)

    def _ranks(
        self, keys: KeyArray, behind: IntArray, photos: IntArray, shared: IntArray
    ) -> IntArray:
        """Ranks of the positives `photos`, given the negatives in their bins."""
        places = _in_order(keys, photos).searchsorted(_in_order(keys, shared))
        return _running_sum(behind, places) + np.arange(1, len(photos) + 1)

    def _rounded(self, query: int, products: FloatArray) -> KeyArray:
        values = self._values
        if self._photo_scale is not None:
            products = np.multiply(products, self._photo_scale, out=values)
        if self._bias is not None and self._square is not None:
            shift = np.multiply(self._square, np.float32(self._bias.slope[query]))
            shift += products
            products = np.add(shift, np.float32(self._bias.constant[query]), out=values)
        np.add(products, _MAGIC, out=values)
        if self._twins is not None:
            values[self._twins.copies.numpy()] = values[self._twins.originals.numpy()]
        return values.view(np.int32)

    def _behind(self, keys: KeyArray, positives: KeyArray) -> IntArray:
        """How many photos stand behind just i positives, [R + 1]; without those in shared bins."""
        table = BinTable.of(positives, self._table_bits, self._steps.dtype)
        table.bins(keys, out=self._bins)
        counts = [table.look_up(bins, out=steps) for bins, steps in self._parts]
        total: IntArray = sum(counts[1:], start=counts[0])[::2].numpy()
        return total


def _tie_groups(
    positives: KeyArray, negatives: KeyArray, behind: IntArray, rank: IntArray | None
) -> Row:
    """Tie groups of ascending keys: all positives, and the negatives that share their bins."""
    places = positives.searchsorted(negatives, side="right")
    # Place 0 has none at or above; index -1 is the last positive then, whose key is larger.
    nearest = places - 1
    tied = nearest[positives.take(nearest) == negatives]
    first = np.empty(len(positives) + 1, dtype=np.bool_)
    first[0] = first[-1] = True
    np.not_equal(positives[1:], positives[:-1], out=first[1:-1])
    edges = first.nonzero()[0]
    start, end = edges[:-1], edges[1:]
    count = end - start
    size = np.bincount(tied, minlength=len(positives)).take(end - 1)
    size += count
    above = _running_sum(behind, places).take(start)
    above += start
    return Row(above, start, size, count, rank)


def _running_sum(behind: IntArray, places: IntArray) -> IntArray:
    """Negatives behind at most i positives, for i < R, given those in shared bins by place."""
    counts = behind + np.bincount(places, minlength=len(behind))
    return counts[:-1].cumsum()


def _in_order(keys: KeyArray, photos: IntArray) -> npt.NDArray[np.int64]:
    """Keys of some photos, ascending, with gallery indices in the low bits."""
    packed = keys.take(photos).astype(np.int64)
    packed <<= 32
    packed |= photos
    packed.sort()
    return packed


def _numpy(values: object) -> FloatArray | None:
    return None if values is None else np.asarray(values)
