"""The exact ranking engine on a GPU: products are counted on chip and never written to memory.

First, the sorted keys of every query's positives are computed as thresholds. Then, for tiles of
queries x photos, each key finds its place among its query's thresholds by bisection and increments
a counter there. A running sum of the counters is the number of photos above each positive. Both
steps compute keys with the same kernel code and order of additions, so a positive always finds its
own key.

Memory: about 64 bytes per positive in a batch of queries, bounded by the task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import triton  # type: ignore[import-untyped]  # Triton ships no types
from torch import Tensor

from dfbench.evaluation.ranking.bins import MAGIC
from dfbench.evaluation.ranking.gpu_kernels import count_keys, write_keys
from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, starts_of, tie_groups
from dfbench.evaluation.ranking.similarity import Scoring
from dfbench.evaluation.ranking.task import RankingTask

_BYTES_PER_POSITIVE = 64
_PHOTOS_AT_ONCE = 2**16
_PHOTO_BITS = 28
_BLOCK_Q, _BLOCK_G, _BLOCK_D = 64, 128, 32


@dataclass(frozen=True)
class _Factors:
    """A scoring as arrays for the kernels; absent parts are neutral."""

    scale: Tensor
    slope: Tensor
    square: Tensor
    magic: Tensor

    @classmethod
    def of(cls, scoring: Scoring) -> _Factors:
        queries = scoring.query_scale
        photos = torch.ones(len(scoring.gallery), device=queries.device)
        penalty = scoring.penalty
        return cls(
            photos if scoring.photo_scale is None else scoring.photo_scale,
            torch.zeros_like(queries) if penalty is None else penalty.slope,
            torch.zeros_like(photos) if penalty is None else penalty.square,
            photos * MAGIC if scoring.magic is None else scoring.magic,
        )


@dataclass(frozen=True)
class _Batch:
    """Queries that are ranked together, grouped by class."""

    task: RankingTask
    factors: _Factors
    rows: Tensor
    left: Tensor
    """Scaled queries, [B, D]."""

    def arguments(self, part: slice, photos: Tensor, at: Tensor | slice) -> tuple[object, ...]:
        """Arguments of `_tile_keys` for some of the queries and photos."""
        rows = self.rows[part].to(photos.device)
        left = self.left[part]
        f = self.factors
        arrays = (left, photos, f.scale[at], f.slope[rows], f.square[at], f.magic[at])
        return (*arrays, len(left), len(photos), left.shape[1])


def rank_fused(task: RankingTask) -> Iterator[Ranked]:
    """Rank the queries of `task` in batches, sorted by class."""
    factors = _Factors.of(task.scoring)
    classes = torch.from_numpy(task.relevance.queries)[task.rows]
    rows = task.rows[classes.argsort(stable=True)]
    most = max(1, task.tile_bytes // _BYTES_PER_POSITIVE)
    batch = (task.positives_of(rows).cumsum(0) - 1) // most
    sizes = torch.unique_consecutive(batch, return_counts=True)[1].tolist()
    for part in torch.split(rows, sizes):
        left = task.scoring.scaled_queries(part).contiguous()
        yield _rank_batch(_Batch(task, factors, part, left))


def _rank_batch(batch: _Batch) -> Ranked:
    device = batch.left.device
    relevant = batch.task.positives_of(batch.rows).to(device)
    begin = starts_of(relevant)
    row = torch.arange(len(relevant), device=device).repeat_interleave(relevant)
    thresholds, owners = _thresholds(batch)
    below, equal, before = torch.zeros((3, len(row)), dtype=torch.int32, device=device)
    steps = int(relevant.max()).bit_length()
    for start in range(0, batch.task.n_photos, _PHOTOS_AT_ONCE):
        stop = min(start + _PHOTOS_AT_ONCE, batch.task.n_photos)
        photos = batch.task.scoring.gallery.rows(start, stop).contiguous()
        grid = (triton.cdiv(len(photos), _BLOCK_G), triton.cdiv(len(relevant), _BLOCK_Q))
        count_keys[grid](
            *batch.arguments(slice(None), photos, slice(start, stop)),
            thresholds, owners, begin, begin + relevant, start, below, equal, before,
            steps=steps, ordered=batch.task.reach > 0, relative=batch.task.scoring.relative,
            bq=_BLOCK_Q, bg=_BLOCK_G, bd=_BLOCK_D,
        )  # fmt: skip
    above = _running_sum(below, begin, row)
    size = _last_of_run(thresholds, row, equal)
    groups = tie_groups(above, above + size, relevant, batch.task.n_photos)
    rank = (_running_sum(before, begin, row) + 1).double()
    return Ranked(
        batch.rows, groups, PositiveRanks(rank, relevant, relevant) if batch.task.reach else None
    )


def _thresholds(batch: _Batch) -> tuple[Tensor, Tensor]:
    """Keys of all positives with their photos, in ranking order within a query."""
    task, parts = batch.task, []
    classes = torch.from_numpy(task.relevance.queries)[batch.rows]
    numbers, sizes = torch.unique_consecutive(classes, return_counts=True)
    start = 0
    for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True):
        index = torch.from_numpy(task.relevance.photos[number])
        photos = task.scoring.gallery.take(index).contiguous()
        out = torch.empty((size, len(index)), dtype=torch.int32, device=photos.device)
        grid = (triton.cdiv(size, _BLOCK_Q), triton.cdiv(len(index), _BLOCK_G))
        at = index.to(photos.device)
        arguments = batch.arguments(slice(start, start + size), photos, at)
        write_keys[grid](
            *arguments, out, relative=task.scoring.relative, bq=_BLOCK_Q, bg=_BLOCK_G, bd=_BLOCK_D
        )
        packed = (out.long() + 2**31 << _PHOTO_BITS) + at
        parts.append(packed.sort(dim=1).values.view(-1))
        start += size
    flat = torch.cat(parts)
    keys = (flat >> _PHOTO_BITS) - 2**31
    return keys.int(), (flat & (1 << _PHOTO_BITS) - 1).int()


def _running_sum(counters: Tensor, begin: Tensor, row: Tensor) -> Tensor:
    """Inclusive running sum of the counters within each query, int64."""
    total = counters.cumsum(0)
    return total - (total - counters)[begin][row]


def _last_of_run(thresholds: Tensor, row: Tensor, counters: Tensor) -> Tensor:
    """For each entry, the counter at the last threshold equal to its own."""
    change = torch.ones(len(row), dtype=torch.bool, device=row.device)
    change[:-1] = (thresholds[1:] != thresholds[:-1]) | (row[1:] != row[:-1])
    last = change.nonzero().squeeze(1)
    run = change.long().cumsum(0) - change.long()
    return counters[last][run]
