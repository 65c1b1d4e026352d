"""Rasterisation of areas and pen points, in integer arithmetic where it determines pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.shapes.figures.paths import Path

SIDE = 32
"""Height and width of every picture in units; at 32 px a unit is a pixel."""

_SUB = 256  # subpixel units per pixel
_ROWS = 4  # scanlines per pixel
_STEP = _SUB // _ROWS


def coverage(areas: Sequence[Path], size: int) -> NDArray[np.float64]:
    """Fraction of each pixel covered by each closed path, `[len(areas), size, size]` in [0, 1].

    Coordinates are in units, with (0, 0) at the upper left corner of the image. Scanline crossings
    are computed in 1/256 pixel and summed as integers, so the order of summation does not matter.
    """
    if not areas:
        return np.zeros((0, size, size))
    start, stop, owner = _edges(areas, size / SIDE)
    sign = np.where(start[:, 1] < stop[:, 1], 1, -1)
    high = np.where((sign > 0)[:, None], start, stop)
    low = np.where((sign > 0)[:, None], stop, start)
    first = np.clip(-((_STEP // 2 - high[:, 1]) // _STEP), 0, size * _ROWS)
    last = np.clip(-((_STEP // 2 - low[:, 1]) // _STEP), 0, size * _ROWS)
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    x0, y0 = high[edge, 0], high[edge, 1]
    run, rise = low[edge, 0] - x0, low[edge, 1] - y0
    x = np.clip(x0 + (line * _STEP + _STEP // 2 - y0) * run // rise, 0, size * _SUB)
    cell = (owner[edge] * size + line // _ROWS) * (size + 2) + x // _SUB
    part = x % _SUB
    weight = sign[edge]
    length = len(areas) * size * (size + 2)
    # Weights of bincount are floats, but sums of small integers are exact in any order.
    delta = np.bincount(cell, weight * (_SUB - part), length)
    delta += np.bincount(cell + 1, weight * part, length)
    total = np.cumsum(delta.reshape(-1, size, size + 2), axis=2)
    whole = _SUB * _ROWS
    covered: NDArray[np.float64] = np.minimum(np.abs(total[:, :, :size]), whole) / whole
    return covered


def ink(
    points: NDArray[np.float64],
    radius: NDArray[np.float64],
    owner: NDArray[np.int64],
    count: int,
    size: int,
) -> NDArray[np.float64]:
    """Darkness of round pen points, `[count, size, size]` in [0, 1]; overlaps take the maximum.

    `points` `[N, 2]` and `radius` `[N]` are in units; `owner` `[N]` is the index of each point's
    plane among `count` planes.
    """
    points, radius = points * (size / SIDE), radius * (size / SIDE)
    reach = ceil(radius.max(initial=0) + 0.5)  # pixels around a point that it may cover
    offset = np.arange(-reach, reach + 1)
    centre = np.floor(points).astype(np.int64)
    columns = centre[:, 0, None, None] + offset[None, None, :]
    rows = centre[:, 1, None, None] + offset[None, :, None]
    dx = columns + 0.5 - points[:, 0, None, None]
    dy = rows + 0.5 - points[:, 1, None, None]
    near = radius[:, None, None] + 0.5 - np.sqrt(dx * dx + dy * dy)
    seen = (near > 0) & (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    cell = ((owner[:, None, None] * size + rows) * size + columns)[seen]
    plane = np.zeros(count * size * size)
    np.maximum.at(plane, cell, np.minimum(near[seen], 1.0))
    return plane.reshape(count, size, size)


def blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over about 3 x 3 units (3 x 3 pixels at 32 px) with repeated border, `[..., S, S]`."""
    size = plane.shape[-1]
    half = 3 * size // (2 * SIDE)
    extended = plane.take(_extended(size, half), axis=-2)
    tall = extended[..., :size, :].copy()
    for shift in range(1, 2 * half + 1):
        tall += extended[..., shift : shift + size, :]
    extended = tall.take(_extended(size, half), axis=-1)
    mean: NDArray[np.float64] = extended[..., :size].copy()
    for shift in range(1, 2 * half + 1):
        mean += extended[..., shift : shift + size]
    mean /= (2 * half + 1) ** 2
    return mean


@cache
def _extended(size: int, margin: int) -> NDArray[np.int64]:
    """Indices of a row of pixels with its ends repeated."""
    return np.clip(np.arange(-margin, size + margin), 0, size - 1)


def _edges(
    areas: Sequence[Path], scale: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    lengths = np.array([len(area) for area in areas], dtype=np.int64)
    flat = np.array([point for area in areas for point in area], dtype=np.float64).reshape(-1, 2)
    start = np.floor(flat * (_SUB * scale) + 0.5).astype(np.int64)
    owner = np.repeat(np.arange(len(areas)), lengths)
    following = np.arange(1, len(start) + 1)
    ends = np.cumsum(lengths)
    following[ends - 1] = ends - lengths
    return start, start[following], owner
