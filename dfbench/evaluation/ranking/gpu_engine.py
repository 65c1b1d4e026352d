"""The exact ranking engine on a GPU: a matrix product, and a count instead of a sort.

For tiles of queries against the whole gallery, the products become integer keys in place. The keys
of each query's positives, sorted, are its thresholds. Every photo finds its place among the
thresholds of the query by bisection and increments a counter there; a running sum of the counters
is the number of photos above each positive.

Queries are ranked in the order of their number of positives, so that the thresholds of a tile are a
matrix with little padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import triton  # type: ignore[import-untyped]  # Triton ships no types
from torch import Tensor

from dfbench.evaluation.ranking.bins import MAGIC
from dfbench.evaluation.ranking.gpu_kernels import count_keys, write_keys
from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, tie_groups
from dfbench.evaluation.ranking.similarity import Scoring
from dfbench.evaluation.ranking.task import RankingTask

_BYTES_PER_PAIR = 4
_BYTES_PER_POSITIVE = 96
_MOST_ROWS = 2**16 - 1
"""Limit of CUDA on the second dimension of a grid."""
_PHOTO_BITS = 28
_BLOCK = 1024
_COUNTED, _BLOCKS = 2048, 8
"""Photos that a program counts at once, and how often."""
_MOST_ON_CHIP = 12
"""Levels of a search tree up to which a histogram of its intervals fits a program's registers."""


@dataclass(frozen=True)
class _Classes:
    """The photos of every class on the device, sorted by class and ascending within one."""

    photos: Tensor
    """Gallery indices, [G], int64."""
    start: Tensor
    """Index in `photos` of the first photo of each class, int64."""
    of_query: Tensor
    """Class of each query, [Q], int64."""
    sizes: Tensor
    """Number of positives of each query, [Q], int64."""

    @classmethod
    def of(cls, task: RankingTask, device: torch.device) -> _Classes:
        classes = torch.from_numpy(task.relevance.gallery).to(device)
        sizes = torch.bincount(classes, minlength=len(task.relevance.names))
        return cls(
            photos=classes.argsort(stable=True),
            start=sizes.cumsum(0) - sizes,
            of_query=torch.from_numpy(task.relevance.queries).to(device),
            sizes=torch.from_numpy(task.relevance.counts).to(device),
        )

    def positives(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Gallery indices of the positives of some queries, [B, most], and which are padding."""
        sizes = self.sizes[rows]
        ordinal = torch.arange(int(sizes.max()), device=rows.device)
        padding = ordinal >= sizes[:, None]
        at = self.start[self.of_query[rows]][:, None] + ordinal
        return self.photos[at.masked_fill_(padding, 0)], padding


def rank_by_counting(task: RankingTask) -> Iterator[Ranked]:
    """Rank the queries of `task` in tiles, by ascending number of positives."""
    device = task.scoring.gallery.device
    classes = _Classes.of(task, device)
    sizes = task.positives_of(task.rows)
    rows = task.rows[sizes.argsort(stable=True)]
    bytes_per_row = _BYTES_PER_PAIR * task.n_photos + _BYTES_PER_POSITIVE * int(sizes.max())
    step = min(max(1, task.tile_bytes // bytes_per_row), _MOST_ROWS)
    buffer = torch.empty((min(step, len(rows)), task.n_photos), device=device)
    for part in torch.split(rows, step):
        yield _rank_tile(task, classes, part, _keys(task.scoring, part, buffer[: len(part)]))


def _keys(scoring: Scoring, rows: Tensor, out: Tensor) -> Tensor:
    """Keys of queries against the gallery, [B, G], int32, in the memory of `out`."""
    values = scoring.products(rows, out)
    if scoring.twins is not None:
        values[:, scoring.twins.copies] = values[:, scoring.twins.originals]
    photos = torch.ones(values.shape[1], device=values.device)
    penalty = scoring.penalty
    keys = values.view(torch.int32)
    write_keys[(triton.cdiv(values.shape[1], _BLOCK), len(values))](
        values,
        photos if scoring.photo_scale is None else scoring.photo_scale,
        photos if penalty is None else penalty.slope[rows.to(values.device)],
        torch.zeros_like(photos) if penalty is None else penalty.square,
        photos * MAGIC if scoring.magic is None else scoring.magic,
        keys, values.shape[1], relative=scoring.relative, block=_BLOCK,
    )  # fmt: skip
    return keys


def _rank_tile(task: RankingTask, classes: _Classes, rows: Tensor, keys: Tensor) -> Ranked:
    here = rows.to(keys.device)
    relevant = classes.sizes[here]
    positives, padding = classes.positives(here)
    pairs = _sorted_pairs(keys, positives, padding)
    thresholds = (pairs.bitwise_right_shift(_PHOTO_BITS) - 2**31).int()
    most = thresholds.shape[1]
    levels = most.bit_length()
    order = _tree_order(levels, keys.device)
    ordered = task.reach > 0
    below, equal, before = torch.zeros(
        (3, *thresholds.shape), dtype=torch.int32, device=keys.device
    )
    count_keys[(triton.cdiv(task.n_photos, _COUNTED * _BLOCKS), len(rows))](
        keys, _as_trees(thresholds, order), _as_trees(pairs, order) if ordered else keys, relevant,
        below, equal, before, task.n_photos, most,
        levels=levels, photo_bits=_PHOTO_BITS, ordered=ordered,
        on_chip=levels <= _MOST_ON_CHIP, block=_COUNTED, blocks=_BLOCKS,
    )  # fmt: skip
    real = ~padding
    above = below.cumsum(1)[real]
    groups = tie_groups(
        above, above + _at_last_of_run(thresholds, equal)[real], relevant, task.n_photos
    )
    if not ordered:
        return Ranked(rows, groups)
    rank = (before.cumsum(1)[real] + 1).double()
    return Ranked(rows, groups, PositiveRanks(rank, relevant, relevant))


def _sorted_pairs(keys: Tensor, positives: Tensor, padding: Tensor) -> Tensor:
    """(key, photo) of the positives in ranking order, [B, most], packed into int64.

    Padding is larger than any pair, and its upper bits are a key larger than any other.
    """
    pairs = keys.gather(1, positives).long().add_(2**31).bitwise_left_shift_(_PHOTO_BITS)
    largest = (1 << 32 + _PHOTO_BITS) - 1
    return pairs.add_(positives).masked_fill_(padding, largest).sort(dim=1).values


def _tree_order(levels: int, device: torch.device) -> Tensor:
    """Ranks of the nodes of a complete search tree, level by level from index 1, [2^levels].

    Neighbouring threads of a GPU then read neighbouring nodes, whatever their keys.
    """
    ranks = [torch.zeros(1, dtype=torch.int64, device=device)]
    for level in range(levels):
        node = torch.arange(2**level, device=device)
        ranks.append((2 * node + 1) * 2 ** (levels - 1 - level) - 1)
    return torch.cat(ranks)


def _as_trees(rows: Tensor, order: Tensor) -> Tensor:
    """Each ascending row as a search tree, [B, 2^levels]."""
    padded = rows.new_full((len(rows), len(order)), torch.iinfo(rows.dtype).max)
    padded[:, : rows.shape[1]] = rows
    return padded[:, order]


def _at_last_of_run(thresholds: Tensor, counters: Tensor) -> Tensor:
    """For each entry, the counter at the last threshold of its row that equals its own."""
    last = torch.ones_like(thresholds, dtype=torch.bool)
    last[:, :-1] = thresholds[:, 1:] != thresholds[:, :-1]
    run = last.view(-1).cumsum(0).view(last.shape) - last.long()
    return counters[last][run]
