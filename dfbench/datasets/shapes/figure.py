"""What a figure is: pieces of paper laid over each other, and pen lines on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dfbench.datasets.shapes.draws import Draws
from dfbench.datasets.shapes.paths import Path

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
