"""Scores handed from a re-ranker's process to its parent, a few blocks at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.evaluation.reranking.space import BLOCK_BYTES
from dfbench.system.files import atomic_path

QUERIES_FILE = "queries.npy"
GALLERY_FILE = "gallery.npy"
_MOST_WAITING = 2
"""Blocks that may lie in the folder; the re-ranker waits until the parent has taken one."""
_GLANCE_SECONDS = 0.02


def blocks(queries: int, photos: int) -> list[tuple[int, int]]:
    """Bounds of the blocks of queries whose scores are handed over together."""
    step = max(1, BLOCK_BYTES // (4 * photos))
    return [(start, min(start + step, queries)) for start in range(0, queries, step)]


def hand_over(folder: Path, number: int, scores: NDArray[np.generic]) -> None:
    """Leave a block of scores in the folder, once there is room."""
    while len(list(folder.glob(_NAME.format("*")))) >= _MOST_WAITING:
        time.sleep(_GLANCE_SECONDS)
    with atomic_path(_file(folder, number)) as temporary, temporary.open("wb") as file:
        np.save(file, scores, allow_pickle=False)


def taken(folder: Path, number: int) -> Iterator[NDArray[np.generic]]:
    """The blocks that lie in the folder, from `number` on; each is removed.

    Raises `ValueError` for a file that is not an array.
    """
    while (file := _file(folder, number)).is_file():
        yield np.load(file, allow_pickle=False)
        file.unlink()
        number += 1


_NAME = "scores-{}.npy"


def _file(folder: Path, number: int) -> Path:
    return folder / _NAME.format(f"{number:06d}")
