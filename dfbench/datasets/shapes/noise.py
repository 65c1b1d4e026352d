"""Smooth random fields, and the patterns of cloth, walls and grass made of them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.shapes.draws import Draws
from dfbench.datasets.shapes.paths import on_circle
from dfbench.datasets.shapes.raster import SIZE

Plane = NDArray[np.float64]
ROWS, COLUMNS = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64) + 0.5


def cloud(draws: Draws, cells: int) -> Plane:
    """Value noise on `cells` x `cells` squares, `[SIZE, SIZE]` in [-1, 1]."""
    grid = draws.array(cells + 1, cells + 1) * 2 - 1
    cell, following, t = _steps(cells)
    above = grid.take(cell, axis=0)
    rows = above + (grid.take(following, axis=0) - above) * t[:, None]
    left = rows.take(cell, axis=1)
    smooth: Plane = left + (rows.take(following, axis=1) - left) * t
    return smooth


def ramp(draws: Draws) -> Plane:
    """A straight gradient in a random direction, `[SIZE, SIZE]` in about [-1, 1]."""
    x, y = on_circle(draws.uniform())
    slope: Plane = ((COLUMNS - SIZE / 2) * x + (ROWS - SIZE / 2) * y) / (SIZE / 2)
    return slope


def waves(draws: Draws, period: float) -> Plane:
    """Parallel stripes with a triangular profile, `[SIZE, SIZE]` in [-1, 1]."""
    x, y = on_circle(draws.uniform())
    phase = (COLUMNS * x + ROWS * y) / period + draws.uniform()
    stripes: Plane = 4 * np.abs(phase - np.floor(phase) - 0.5) - 1
    return stripes


def pattern(draws: Draws) -> Plane:
    """One of several surfaces, `[SIZE, SIZE]` in [-1, 1]."""
    kind = draws.integer(0, 4)
    if kind == 0:
        return waves(draws, draws.between(3, 9))
    if kind == 1:
        return waves(draws, draws.between(4, 10)) * waves(draws, draws.between(4, 10))
    if kind == 2:
        return cloud(draws, 4) * 0.6 + cloud(draws, 9) * 0.4
    return cloud(draws, draws.integer(3, 14))


@cache
def _steps(cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Plane]:
    """For each pixel its cell, the next one, and the weight of the next one."""
    position = (np.arange(SIZE) + 0.5) * (cells / SIZE)
    cell = np.floor(position).astype(np.int64)
    t = position - cell
    return cell, cell + 1, t * t * (3 - 2 * t)
