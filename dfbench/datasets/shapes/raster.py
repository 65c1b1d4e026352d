"""Areas and pen points to pixels, in integer arithmetic where pixels are decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.shapes.paths import Path

SIZE = 32
"""Height and width of every image in pixels."""

_SUB = 256  # units of a pixel
_ROWS = 4  # scanlines a pixel
_STEP = _SUB // _ROWS
_BEFORE = np.array([0, *range(SIZE - 1)])
_AFTER = np.array([*range(1, SIZE), SIZE - 1])
_REACH = 2  # pixels around a pen point that it can touch


def coverage(areas: Sequence[Path]) -> NDArray[np.float64]:
    """How much of each pixel each closed path covers, `[len(areas), SIZE, SIZE]` in [0, 1].

    Coordinates are in pixels, (0, 0) the upper left corner of the image. Scanline crossings are
    found in 1/256 pixel and summed as integers, so the order of summation cannot matter.
    """
    if not areas:
        return np.zeros((0, SIZE, SIZE))
    start, stop, owner = _edges(areas)
    sign = np.where(start[:, 1] < stop[:, 1], 1, -1)
    high = np.where((sign > 0)[:, None], start, stop)
    low = np.where((sign > 0)[:, None], stop, start)
    first = np.clip(-((_STEP // 2 - high[:, 1]) // _STEP), 0, SIZE * _ROWS)
    last = np.clip(-((_STEP // 2 - low[:, 1]) // _STEP), 0, SIZE * _ROWS)
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    x0, y0 = high[edge, 0], high[edge, 1]
    run, rise = low[edge, 0] - x0, low[edge, 1] - y0
    x = np.clip(x0 + (line * _STEP + _STEP // 2 - y0) * run // rise, 0, SIZE * _SUB)
    cell = (owner[edge] * SIZE + line // _ROWS) * (SIZE + 2) + x // _SUB
    part = x % _SUB
    weight = sign[edge]
    length = len(areas) * SIZE * (SIZE + 2)
    # Weights of bincount are floats, but sums of small integers are exact in any order.
    delta = np.bincount(cell, weight * (_SUB - part), length)
    delta += np.bincount(cell + 1, weight * part, length)
    total = np.cumsum(delta.astype(np.int64).reshape(-1, SIZE, SIZE + 2), axis=2)[:, :, :SIZE]
    covered: NDArray[np.float64] = np.minimum(np.abs(total), _SUB * _ROWS) / (_SUB * _ROWS)
    return covered


def ink(
    points: NDArray[np.float64], radius: NDArray[np.float64], owner: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Round pen points as darkness, `[count, SIZE, SIZE]` in [0, 1]; overlapping ones do not add.

    `points` `[N, 2]` and `radius` `[N]` (at most 2) are in pixels, `owner` `[N]` says which of the
    `count` planes each point is on.
    """
    offset = np.arange(-_REACH, _REACH + 1)
    centre = np.floor(points).astype(np.int64)
    columns = centre[:, 0, None, None] + offset[None, None, :]
    rows = centre[:, 1, None, None] + offset[None, :, None]
    dx = columns + 0.5 - points[:, 0, None, None]
    dy = rows + 0.5 - points[:, 1, None, None]
    near = radius[:, None, None] + 0.5 - np.sqrt(dx * dx + dy * dy)
    seen = (near > 0) & (columns >= 0) & (columns < SIZE) & (rows >= 0) & (rows < SIZE)
    cell = ((owner[:, None, None] * SIZE + rows) * SIZE + columns)[seen]
    plane = np.zeros(count * SIZE * SIZE)
    np.maximum.at(plane, cell, np.minimum(near[seen], 1.0))
    return plane.reshape(count, SIZE, SIZE)


def blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over 3x3 pixels of the last two axes, the border repeated."""
    tall = plane[..., _BEFORE, :] + plane + plane[..., _AFTER, :]
    mean: NDArray[np.float64] = (tall[..., _BEFORE] + tall + tall[..., _AFTER]) / 9
    return mean


def _edges(
    areas: Sequence[Path],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    lengths = np.array([len(area) for area in areas], dtype=np.int64)
    flat = np.array([point for area in areas for point in area], dtype=np.float64).reshape(-1, 2)
    start = np.floor(flat * _SUB + 0.5).astype(np.int64)
    owner = np.repeat(np.arange(len(areas)), lengths)
    following = np.arange(1, len(start) + 1)
    ends = np.cumsum(lengths)
    following[ends - 1] = ends - lengths
    return start, start[following], owner
