"""Where and how a figure stands in its image: fitted, turned, stretched, bent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dfbench.datasets.shapes.draws import Draws
from dfbench.datasets.shapes.figure import Figure, Piece, Sheet
from dfbench.datasets.shapes.paths import Path, Point, on_circle
from dfbench.datasets.shapes.raster import SIDE


def posed(figure: Figure, draws: Draws, low: float, high: float) -> list[Piece]:
    """One drawing of a figure, coordinates and widths in units of the picture (see `raster`).

    Half the longer side of the figure's box measures between `low` and `high` units.
    """
    sheet = Sheet()
    figure.draw(sheet, draws)
    centre, half = _frame(sheet.pieces)
    scale = draws.between(low, high)
    place = _pose(draws, figure.tilt, scale)

    def move(path: Path) -> Path:
        return [place(((x - centre[0]) / half, (y - centre[1]) / half)) for x, y in path]

    return [
        replace(piece, path=move(piece.path), width=piece.width * scale / half)
        for piece in sheet.pieces
    ]


def _frame(pieces: list[Piece]) -> tuple[Point, float]:
    xs = [x for piece in pieces for x, _ in piece.path]
    ys = [y for piece in pieces for _, y in piece.path]
    centre = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    return centre, max(max(xs) - min(xs), max(ys) - min(ys)) / 2


def _pose(draws: Draws, tilt: float, scale: float) -> Callable[[Point], Point]:
    cosine, sine = on_circle(draws.around_zero(tilt))
    flip = -1.0 if draws.chance(0.5) else 1.0
    stretch = 1 + draws.around_zero(0.22)
    shear, bend, taper = (draws.around_zero(reach) for reach in (0.2, 0.12, 0.18))
    slack = max(SIDE / 2 - scale, 1.0)
    left = SIDE / 2 + draws.around_zero(slack)
    top = SIDE / 2 + draws.around_zero(slack)

    def place(point: Point) -> Point:
        x, y = point
        x = flip * x * stretch * (1 + taper * y) + shear * y + bend * (y * y - 0.5)
        y = y / stretch
        return (
            left + scale * (cosine * x - sine * y),
            top + scale * (sine * x + cosine * y),
        )

    return place
