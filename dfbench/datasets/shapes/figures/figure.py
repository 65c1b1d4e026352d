"""What a figure is: pieces of paper laid over each other, and pen lines on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.paths import Path, Point, on_circle
from dfbench.datasets.shapes.figures.raster import SIDE

Tone = Literal["body", "accent", "dark", "light"]
"""Which of the colours drawn for a photo a piece has; a tone is never tied to a colour."""


@dataclass(frozen=True)
class Piece:
    """One closed area, or one open line, of a figure."""

    path: Path
    tone: Tone
    width: float
    """Width of an open line in units of the figure's box; 0 for an area."""
    detail: bool
    """Whether a hasty pen may leave it out."""


class Sheet:
    """Collects the pieces of a figure, those behind first.

    Figures are drawn in any box of about [-1, 1] x [-1, 1], y pointing down; the pose fits them
    into the image.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def fill(self, path: Path, tone: Tone = "body", *, detail: bool = False) -> None:
        """Lay down a closed area."""
        self.pieces.append(Piece(path, tone, 0.0, detail))

    def line(
        self, path: Path, tone: Tone = "dark", width: float = 0.09, *, detail: bool = False
    ) -> None:
        """Draw an open line."""
        self.pieces.append(Piece(path, tone, width, detail))


@dataclass(frozen=True)
class Figure:
    """A class of figures: what varies from one image to the next is in `draw`."""

    name: str
    draw: Callable[[Sheet, Draws], None]
    tilt: float = 0.05
    """Largest rotation in turns, to either side."""


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
