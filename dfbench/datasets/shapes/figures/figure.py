"""Figures composed of layered areas and lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.paths import Path, Point, on_circle
from dfbench.datasets.shapes.figures.raster import SIDE

Tone = Literal["body", "accent", "dark", "light"]
"""Index of a piece's colour among those drawn for a photo; a tone has no fixed colour."""


@dataclass(frozen=True)
class Piece:
    """One closed area, or one open line, of a figure."""

    path: Path
    tone: Tone
    width: float
    """Width of an open line in units of the figure's box; 0 for an area."""
    detail: bool
    """Whether a sketch is more likely to omit it."""


class Sheet:
    """Collects the pieces of a figure, from back to front.

    Figures are drawn in a box of about [-1, 1] x [-1, 1] with y pointing down; the pose fits them
    into the image.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def fill(self, path: Path, tone: Tone = "body", *, detail: bool = False) -> None:
        """Add a closed area."""
        self.pieces.append(Piece(path, tone, 0.0, detail))

    def line(
        self, path: Path, tone: Tone = "dark", width: float = 0.09, *, detail: bool = False
    ) -> None:
        """Add an open line."""
        self.pieces.append(Piece(path, tone, width, detail))


@dataclass(frozen=True)
class Figure:
    """A class of figures; `draw` adds one random instance to a sheet."""

    name: str
    draw: Callable[[Sheet, Draws], None]
    tilt: float = 0.05
    """Largest rotation in either direction, in turns."""


def posed(figure: Figure, draws: Draws, low: float, high: float) -> list[Piece]:
    """One instance of a figure, with coordinates and widths in units of the picture (see `raster`).

    Half the longer side of the figure's box is between `low` and `high` units long.
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
