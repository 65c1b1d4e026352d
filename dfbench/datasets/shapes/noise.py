"""Smooth random fields, and the patterns of cloth, walls and grass made of them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.shapes.draws import Draws
from dfbench.datasets.shapes.paths import on_circle
from dfbench.datasets.shapes.raster import SIDE

Plane = NDArray[np.float64]


def cloud(draws: Draws, cells: int, size: int) -> Plane:
    """Value noise on `cells` x `cells` squares, `[size, size]` in [-1, 1]."""
    grid = draws.array(cells + 1, cells + 1) * 2 - 1
    cell, following, t = _steps(cells, size)
    above = grid.take(cell, axis=0)
    rows = above + (grid.take(following, axis=0) - above) * t[:, None]
    left = rows.take(cell, axis=1)
    smooth: Plane = left + (rows.take(following, axis=1) - left) * t
    return smooth


def ramp(draws: Draws, size: int) -> Plane:
    """A straight gradient in a random direction, `[size, size]` in about [-1, 1]."""
    x, y = on_circle(draws.uniform())
    rows, columns = _centres(size)
    slope: Plane = ((columns - SIDE / 2) * x + (rows - SIDE / 2) * y) / (SIDE / 2)
    return slope


def waves(draws: Draws, period: float, size: int) -> Plane:
    """Triangular stripes, `period` units from one to the next, `[size, size]` in [-1, 1]."""
    x, y = on_circle(draws.uniform())
    rows, columns = _centres(size)
    phase = (columns * x + rows * y) / period + draws.uniform()
    stripes: Plane = 4 * np.abs(phase - np.floor(phase) - 0.5) - 1
    return stripes


def pattern(draws: Draws, size: int) -> Plane:
    """One of several surfaces, `[size, size]` in [-1, 1]."""
    kind = draws.integer(0, 4)
    if kind == 0:
        return waves(draws, draws.between(3, 9), size)
    if kind == 1:
        warp = waves(draws, draws.between(4, 10), size)
        return warp * waves(draws, draws.between(4, 10), size)
    if kind == 2:
        return cloud(draws, 4, size) * 0.6 + cloud(draws, 9, size) * 0.4
    return cloud(draws, draws.integer(3, 14), size)


@cache
def _centres(size: int) -> tuple[Plane, Plane]:
    """Where the centres of pixels are, in units: of rows `[size, 1]`, of columns `[1, size]`."""
    centres: Plane = (np.arange(size, dtype=np.float64) + 0.5) / (size / SIDE)
    return centres[:, None], centres[None, :]


@cache
def _steps(cells: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Plane]:
    """For each pixel its cell, the next one, and the weight of the next one."""
    position = (np.arange(size) + 0.5) * (cells / size)
    cell = np.floor(position).astype(np.int64)
    t = position - cell
    return cell, cell + 1, t * t * (3 - 2 * t)
