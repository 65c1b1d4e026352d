"""The exact ranking engine in plain torch, for any device without Triton's kernels.

The keys of a tile become unique 62-bit integers (query in the tile, key, gallery index), sorted at
once into an ascending list; all counts of all positives are three searches in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, tie_groups
from dfbench.evaluation.ranking.similarity import ordered_bits
from dfbench.evaluation.ranking.task import RankingTask

_KEY_BITS = 32
_BYTES_PER_PAIR = 4 + 4 * 8
"""Memory for the products, the integers, and the allocations of the sort."""


def rank_in_plain_torch(task: RankingTask) -> Iterator[Ranked]:
    """Rank the queries of `task` in batches, in order, on the device of its embeddings."""
    photo_bits = task.n_photos.bit_length()
    step = min(task.tile_rows(_BYTES_PER_PAIR), 2 ** (62 - _KEY_BITS - photo_bits))
    buffer = torch.empty((step, task.n_photos), device=task.scoring.gallery.device)
    for rows in torch.split(task.rows, step):
        products = task.scoring.products(rows, out=buffer[: len(rows)])
        keys = _unique_keys(task.scoring.keys(rows, products), photo_bits)
        yield _rank_tile(task, rows, keys, photo_bits)


def rank_scores(task: RankingTask, rows: Tensor, scores: Tensor) -> Iterator[Ranked]:
    """Rank queries of `task`, `rows` [B], by given scores [B, G]; larger is better.

    Scores are compared as float32, without rounding; photos with equal embeddings tie. Queries
    without a positive are left out.
    """
    kept = task.positives_of(rows) > 0
    rows, scores = rows[kept], scores[kept]
    photo_bits = task.n_photos.bit_length()
    step = min(
        max(1, task.tile_bytes // (_BYTES_PER_PAIR * task.n_photos)),
        2 ** (62 - _KEY_BITS - photo_bits),
    )
    for some, part in zip(torch.split(rows, step), torch.split(scores, step), strict=True):
        if not len(some):
            continue
        values = 0.0 - part.float()  # negated, and without negative zeros
        twins = task.scoring.twins
        if twins is not None:
            values[:, twins.copies] = values[:, twins.originals]
        yield _rank_tile(task, some, _unique_keys(ordered_bits(values), photo_bits), photo_bits)


def _unique_keys(keys: Tensor, photo_bits: int) -> Tensor:
    """(query, key, photo) packed into int64, [B, G], ascending = best first."""
    row = torch.arange(len(keys), device=keys.device)[:, None]
    packed = keys.long().add_(2 ** (_KEY_BITS - 1)).add_(row << _KEY_BITS)
    return packed.bitwise_left_shift_(photo_bits).add_(
        torch.arange(keys.shape[1], device=keys.device)
    )


def _rank_tile(task: RankingTask, rows: Tensor, keys: Tensor, photo_bits: int) -> Ranked:
    relevant = task.positives_of(rows).to(keys.device)
    row = torch.arange(len(rows), device=keys.device).repeat_interleave(relevant)
    photo = torch.cat([torch.from_numpy(task.photos_of(query)) for query in rows.tolist()])
    own = keys[row, photo.to(keys.device)].sort().values
    before = row * task.n_photos
    level = own >> photo_bits
    ranked = keys.sort(dim=1).values.view(-1)
    groups = tie_groups(
        above=torch.searchsorted(ranked, level << photo_bits) - before,
        at_or_above=torch.searchsorted(ranked, level + 1 << photo_bits) - before,
        relevant=relevant,
        n_photos=task.n_photos,
    )
    rank = (torch.searchsorted(ranked, own) - before + 1).double()
    return Ranked(rows, groups, PositiveRanks(rank, relevant, relevant))
