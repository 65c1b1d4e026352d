"""The exact ranking engine in plain torch, for any device without the fused kernels.

A tile's keys become unique 62-bit integers (query in the tile, key, gallery index), which one sort
puts in one ascending list; all counts of all positives are three searches in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dfbench.evaluation.groups import Places, Ranked, tie_groups
from dfbench.evaluation.similarity import KEY_STEPS
from dfbench.evaluation.task import Task

_KEY_BITS = 22
_PHOTO_BITS = 28
_MOST_ROWS = 2**12
_BYTES_PER_PAIR = 4 + 4 * 8
"""Products, the integers, and what the sort allocates."""


def rank_in_plain_torch(task: Task) -> Iterator[Ranked]:
    """The queries of `task` in batches, in order, on the device of its embeddings."""
    step = min(task.tile_rows(_BYTES_PER_PAIR), _MOST_ROWS)
    buffer = torch.empty((step, task.n_photos), device=task.scoring.gallery.device)
    for rows in torch.split(task.rows, step):
        products = task.scoring.products(rows, out=buffer[: len(rows)])
        yield _rank_tile(task, rows, _unique_keys(task.scoring.finish(rows, products)))


def _unique_keys(values: Tensor) -> Tensor:
    """(query, key, photo) packed into int64, [B, G], ascending = best first."""
    row = torch.arange(len(values), device=values.device)[:, None]
    packed = values.round_().long().add_(KEY_STEPS + 4).add_(row << _KEY_BITS)
    return packed.bitwise_left_shift_(_PHOTO_BITS).add_(
        torch.arange(values.shape[1], device=values.device)
    )


def _rank_tile(task: Task, rows: Tensor, keys: Tensor) -> Ranked:
    relevant = task.positives_of(rows).to(keys.device)
    row = torch.arange(len(rows), device=keys.device).repeat_interleave(relevant)
    photo = torch.cat([torch.from_numpy(task.photos_of(query)) for query in rows.tolist()])
    own = keys[row, photo.to(keys.device)].sort().values
    before = row * task.n_photos
    level = own >> _PHOTO_BITS
    ranked = keys.sort(dim=1).values.view(-1)
    groups = tie_groups(
        above=torch.searchsorted(ranked, level << _PHOTO_BITS) - before,
        at_or_above=torch.searchsorted(ranked, level + 1 << _PHOTO_BITS) - before,
        relevant=relevant,
        n_photos=task.n_photos,
    )
    rank = (torch.searchsorted(ranked, own) - before + 1).double()
    return Ranked(rows, groups, Places(rank, relevant, relevant))
