"""Sketches of figures: wobbly dark strokes on white paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.figure import Figure, Piece, posed
from dfbench.datasets.shapes.figures.paths import Path, ribbon
from dfbench.datasets.shapes.figures.raster import SIDE, coverage, ink

_SPACING = 0.4  # units between pen points
_BROAD = 2.6  # units: wider lines are drawn as outlines


Line = NDArray[np.float64]
"""Pen points `[N, 2]` in units, drawn without lifting the pen."""


@dataclass(frozen=True)
class SketchStyle:
    """Parameters of the difficulty of sketches."""

    smallest: float = 7.0
    """Half the longer side of the smallest figure, in units."""
    largest: float = 14.0
    wobble: float = 2.0
    """Largest deviation of a stroke from its path, in units."""
    misplacement: float = 1.8
    """Largest displacement of a piece from its correct position, in units."""
    omission: float = 0.4
    """Probability that a detail is left out; a third of it for any other piece."""
    gap: float = 0.5
    """Probability that a stroke has a gap, of up to about a third of its length."""
    scribbles: int = 2
    """Maximum number of random strokes."""


def sketch(figure: Figure, draws: Draws, style: SketchStyle, size: int) -> NDArray[np.uint8]:
    """One sketch of a figure, `[1, size, size]`, dark on white; the same lines at every size."""
    pieces = posed(figure, draws, style.smallest, style.largest)
    pieces = [_misplaced(piece, draws, style.misplacement) for piece in _kept(pieces, draws, style)]
    strokes = [_stroke(piece, draws, style) for piece in pieces]
    strokes += [_scribble(draws, style) for _ in range(draws.integer(0, style.scribbles))]
    marks = _inked(strokes, draws, size)
    # A careless sketch shows hidden lines; a careful one omits them.
    hiding = [] if draws.chance(0.2) else [i for i, piece in enumerate(pieces) if not piece.width]
    masks = dict(zip(hiding, coverage([pieces[i].path for i in hiding], size), strict=True))
    paper = np.zeros((size, size))
    for i, mark in enumerate(marks):
        if i in masks:
            paper = paper * (1 - masks[i])
        paper = np.maximum(paper, mark)
    return _scanned(paper, draws)


def _inked(strokes: list[list[Line]], draws: Draws, size: int) -> NDArray[np.float64]:
    width = draws.between(0.35, 0.95)
    pressures = width * (0.8 + 0.4 * draws.array(len(strokes)))
    strokes = [[_dense(line, ceil(size / SIDE)) for line in lines] for lines in strokes]
    lengths = [sum(map(len, lines)) for lines in strokes]
    owner = np.repeat(np.arange(len(strokes)), lengths)
    points = np.concatenate([line for lines in strokes for line in lines])
    return ink(points, pressures[owner], owner, len(strokes), size)


def _dense(line: Line, steps: int) -> Line:
    """The line with each section split into `steps`, so that no dots show in a large image."""
    starts, stops = line[:-1, None], line[1:, None]
    between = starts + (stops - starts) * (np.arange(steps) / steps)[:, None]
    return np.concatenate([between.reshape(-1, 2), line[-1:]])


def _kept(pieces: list[Piece], draws: Draws, style: SketchStyle) -> list[Piece]:
    """The pieces that are drawn, always including the largest, which identifies the figure."""
    largest = max(pieces, key=_extent)
    return [
        piece
        for piece in pieces
        if not draws.chance(style.omission if piece.detail else style.omission / 3)
        or piece is largest
    ]


def _extent(piece: Piece) -> float:
    xs, ys = [x for x, _ in piece.path], [y for _, y in piece.path]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


def _misplaced(piece: Piece, draws: Draws, reach: float) -> Piece:
    dx, dy = draws.around_zero(reach), draws.around_zero(reach)
    return replace(piece, path=[(x + dx, y + dy) for x, y in piece.path])


def _stroke(piece: Piece, draws: Draws, style: SketchStyle) -> list[Line]:
    """A piece's outline: one line, or two with a gap between them."""
    path = piece.path
    closed = not piece.width
    if piece.width > _BROAD:
        path, closed = ribbon(path, piece.width), True
    if closed:
        start = draws.integer(0, len(path) - 1)
        path = [*path[start:], *path[: start + 1]]
    points = _spaced(path)
    lifted = []
    if len(points) > 24 and draws.chance(style.gap):
        length = int(len(points) * draws.between(0.1, 0.35))
        start = draws.integer(0, len(points) - length - 1)
        points = np.delete(points, slice(start, start + length), axis=0)
        lifted = [start] if start else []
    points = points + _wander(draws, len(points), style.wobble * draws.uniform())
    return np.split(points, lifted)


def _spaced(path: Path) -> Line:
    points = []
    for (x0, y0), (x1, y1) in pairwise(path):
        dx, dy = x1 - x0, y1 - y0
        steps = int(sqrt(dx * dx + dy * dy) / _SPACING) + 1
        points += [(x0 + dx * i / steps, y0 + dy * i / steps) for i in range(steps)]
    return np.array([*points, path[-1]], dtype=np.float64)


def _wander(draws: Draws, length: int, reach: float) -> NDArray[np.float64]:
    """A smooth random displacement along a stroke, `[length, 2]` in [-reach, reach]."""
    knots = length // 12 + 2
    grid = draws.array(knots, 2) * 2 - 1
    position = np.arange(length) * ((knots - 1) / length)
    cell = np.floor(position).astype(np.int64)
    t = (position - cell)[:, None]
    t = t * t * (3 - 2 * t)
    path: NDArray[np.float64] = (grid[cell] + (grid[cell + 1] - grid[cell]) * t) * reach
    return path


def _scribble(draws: Draws, style: SketchStyle) -> list[Line]:
    x, y = draws.between(2, SIDE - 2), draws.between(2, SIDE - 2)
    end = (x + draws.around_zero(10), y + draws.around_zero(10))
    points = _spaced([(x, y), end])
    return [points + _wander(draws, len(points), style.wobble)]


def _scanned(paper: NDArray[np.float64], draws: Draws) -> NDArray[np.uint8]:
    dark = draws.between(0.7, 1.0)
    grey = 1 - paper * dark
    return np.floor(grey * 255 + 0.5).astype(np.uint8)[None]
