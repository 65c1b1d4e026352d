"""The exact ranking engine on the CPU: a tile of fp32 products, then one scan for each query.

Memory: one tile of at most the task's bound, whatever the gallery (one row if a row is larger).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dfbench.evaluation.groups import Places, Ranked, TieGroups
from dfbench.evaluation.labels import IntArray
from dfbench.evaluation.rowscan import Row, RowScan
from dfbench.evaluation.task import Task

_CHUNK_POSITIVES = 2**16
"""Positives that go to the metrics at once: enough to hide the cost of the calls."""
_SERIAL = 30_000
"""Entries that several threads give to torch at once: from 32,768 on it spreads an operation over
threads of its own, and waits for them longer than a count or a sum takes."""


def rank_on_cpu(task: Task) -> Iterator[Ranked]:
    """The queries of `task` in batches, in order; as many threads as torch has."""
    # Touched once in order: a product that meets fresh memory pays several times for its pages.
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


def _batch(task: Task, rows: Tensor, scanned: list[Row]) -> Ranked:
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
    ordered = Places(_joined(ranks), relevant, relevant) if ranks else None
    return Ranked(rows, groups, ordered)


def _joined(parts: list[IntArray]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts, dtype=np.float64))
