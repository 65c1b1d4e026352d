"""CPU engine: from one query's products to the counts of its positives, by rounding and look-up.

All metrics follow from how many negatives rank behind each number of positives. A table of bins
gives that number for nearly all photos in one gather; the few negatives that share a bin with a
positive are located among the positives by search. Only these and the positives are sorted:
sorting the row costs as much as all of this on some processors and five times as much on others.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dfbench.evaluation.ranking.bins import MAGIC, SHARED, BinTable, FloatKeys, Keys, step_type
from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, TieGroups
from dfbench.evaluation.ranking.labels import IntArray
from dfbench.evaluation.ranking.similarity import (
    RELATIVE_MASK,
    RELATIVE_START,
    Penalty,
    Scoring,
    ordered_bits,
)
from dfbench.evaluation.ranking.task import RankingTask


@dataclass(frozen=True)
class QueryGroups:
    """The tie groups of one query that contain a positive, best first, each [groups]."""

    above: IntArray
    """n: photos ranked strictly above the group."""
    positives_above: IntArray
    """p: positives ranked strictly above the group."""
    size: IntArray
    """g: photos in the group."""
    positives: IntArray
    """r: positives in the group."""
    rank: IntArray | None
    """Rank of each positive, from 1, [R], with tied photos in gallery order; only if requested."""


class _Penalties:
    """Penalties of the photos for a query; cached, since slopes are few powers of two."""

    def __init__(self, penalty: Penalty) -> None:
        self._slope, self._square = penalty.slope.tolist(), _numpy(penalty.square)
        self._last = 1.0
        self._penalties = self._square

    def __call__(self, query: int) -> FloatKeys:
        if self._slope[query] != self._last:
            self._last = self._slope[query]
            self._penalties = self._square * np.float32(self._last)
        return self._penalties


class RowScan:
    """Scans rows of one gallery with reused buffers; one instance per thread.

    `most_positives` is the largest R of any query; `ordered` requests `QueryGroups.rank`; torch
    processes `at_once` photos at a time.
    """

    def __init__(
        self, scoring: Scoring, most_positives: int, *, ordered: bool, at_once: int
    ) -> None:
        self._photo_scale = _numpy(scoring.photo_scale) if scoring.photo_scale is not None else None
        self._penalties = _Penalties(scoring.penalty) if scoring.penalty else None
        self._magic = _numpy(scoring.magic) if scoring.magic is not None else None
        self._relative = scoring.relative
        self._twins = scoring.twins
        self._ordered = ordered
        n_photos = len(scoring.gallery)
        # About five bins per photo: filling more costs as much as they save in searches.
        self._table_bits = n_photos.bit_length() + 2
        self._values = np.empty(n_photos, dtype=np.float32)
        self._bits = self._values.view(np.int32)
        self._keys: Keys = self._bits if self._magic is None else self._values
        self._steps = np.empty(n_photos, dtype=step_type(most_positives))
        bins = torch.empty(n_photos, dtype=torch.int32)
        keys = np.split(self._keys, range(at_once, n_photos, at_once))
        parts = [torch.split(one, at_once) for one in (bins, torch.from_numpy(self._steps))]
        self._parts = list(zip(keys, *parts, strict=True))

    def __call__(self, query: int, products: FloatKeys, photos: IntArray) -> QueryGroups:
        """Scan the products [G] of a query whose positives are `photos`, ascending."""
        self._round(query, products)
        positives = self._keys.take(photos)
        positives.sort()
        behind = self._behind(positives)
        self._steps[photos] = 0
        shared = np.flatnonzero(self._steps == SHARED)
        negatives = self._keys.take(shared)
        negatives.sort()
        rank = self._ranks(behind, photos, shared) if self._ordered else None
        return _tie_groups(positives, negatives, behind, rank)

    def _ranks(self, behind: IntArray, photos: IntArray, shared: IntArray) -> IntArray:
        """Ranks of the positives `photos`, given the negatives in their bins."""
        places = _in_order(self._keys, photos).searchsorted(_in_order(self._keys, shared))
        return _running_sum(behind, places) + np.arange(1, len(photos) + 1)

    def _round(self, query: int, products: FloatKeys) -> None:
        """Keys from products: rounded values, or their bits if these have the same order."""
        values = self._values
        if self._photo_scale is not None:
            products = np.multiply(products, self._photo_scale, out=values)
        if self._penalties is not None:
            products = np.add(products, self._penalties(query), out=values)
        if self._relative:
            np.subtract(np.int32(RELATIVE_START), products.view(np.int32), out=self._bits)
            np.bitwise_or(self._bits, np.int32(RELATIVE_MASK), out=self._bits)
        elif self._magic is None:
            np.add(products, np.float32(MAGIC), out=values)
        else:
            np.add(products, self._magic, out=values)
            np.subtract(values, self._magic, out=values)
        if self._twins is not None:
            self._keys[self._twins.copies.numpy()] = self._keys[self._twins.originals.numpy()]

    def _behind(self, positives: Keys) -> IntArray:
        """Number of photos behind exactly i positives, [R + 1], without those in shared bins."""
        table = BinTable.of(positives, self._table_bits, self._steps.dtype)
        counts = [table.look_up(*part) for part in self._parts]
        total: IntArray = sum(counts[1:], start=counts[0])[::2].numpy()
        return total


def _tie_groups(
    positives: Keys, negatives: Keys, behind: IntArray, rank: IntArray | None
) -> QueryGroups:
    """Tie groups of ascending keys: all positives, and the negatives that share their bins."""
    places = positives.searchsorted(negatives, side="right")
    # Place 0 has no positive at or above it; index -1 then is the last positive, with a larger key.
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
    return QueryGroups(above, start, size, count, rank)


def _running_sum(behind: IntArray, places: IntArray) -> IntArray:
    """Negatives behind at most i positives, for i < R, given those in shared bins by place."""
    counts = behind + np.bincount(places, minlength=len(behind))
    return counts[:-1].cumsum()


def _in_order(keys: Keys, photos: IntArray) -> npt.NDArray[np.int64]:
    """Keys of some photos, ascending, with gallery indices in the low bits."""
    some = keys.take(photos)
    if some.dtype == np.float32:
        some = ordered_bits(torch.from_numpy(some)).numpy()
    packed = some.astype(np.int64)
    packed <<= 32
    packed |= photos
    packed.sort()
    return packed


def _numpy(values: torch.Tensor) -> FloatKeys:
    return np.asarray(values)


_CHUNK_POSITIVES = 2**16
"""Positives passed to the metrics at once: enough to hide the overhead of the calls."""
_SERIAL = 30_000
"""Entries that each of several threads passes to torch at once: from 32,768 on torch spreads an
operation over its own threads, and waiting for them takes longer than a count or a sum."""


def rank_on_cpu(task: RankingTask) -> Iterator[Ranked]:
    """Rank the queries of `task` in batches, in order, with as many threads as torch has."""
    # Touched once in order: a product written to fresh memory pays several times for its pages.
    buffer = torch.empty((task.tile_rows(bytes_per_pair=4), task.n_photos)).fill_(0).numpy()
    threads = torch.get_num_threads()
    limits = (_CHUNK_POSITIVES, task.n_photos) if threads == 1 else (_SERIAL, _SERIAL)
    at_once, photos_at_once = limits
    positives = task.positives_of(task.rows)
    chunk = max(1, int(at_once // positives.double().mean()))
    most = int(positives.max())
    idle: SimpleQueue[RowScan] = SimpleQueue()
    for _ in range(threads):
        idle.put(RowScan(task.scoring, most, ordered=task.reach > 0, at_once=photos_at_once))

    def rank_chunk(rows: Tensor, products: npt.NDArray[np.float32]) -> Ranked:
        scan = idle.get()
        queries = rows.tolist()
        scanned = [scan(q, s, task.photos_of(q)) for q, s in zip(queries, products, strict=True)]
        idle.put(scan)
        return _batch(task, rows, scanned)

    with ThreadPoolExecutor(threads) as pool:
        in_turn = map if threads == 1 else pool.map
        for rows in torch.split(task.rows, len(buffer)):
            tile = buffer[: len(rows)]
            task.scoring.products(rows, out=torch.from_numpy(tile))
            tiles = np.split(tile, range(chunk, len(rows), chunk))
            yield from in_turn(rank_chunk, torch.split(rows, chunk), tiles)


def _batch(task: RankingTask, rows: Tensor, scanned: list[QueryGroups]) -> Ranked:
    relevant = task.positives_of(rows)
    groups = TieGroups(
        above=_joined([row.above for row in scanned]),
        positives_above=_joined([row.positives_above for row in scanned]),
        size=_joined([row.size for row in scanned]),
        positives=_joined([row.positives for row in scanned]),
        lengths=torch.tensor([len(row.above) for row in scanned]),
        relevant=relevant,
        n_photos=task.n_photos,
    )
    ranks = [row.rank for row in scanned if row.rank is not None]
    ordered = PositiveRanks(_joined(ranks), relevant, relevant) if ranks else None
    return Ranked(rows, groups, ordered)


def _joined(parts: list[IntArray]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts, dtype=np.float64))
