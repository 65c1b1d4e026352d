"""A sketch as a person has it in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.decoding import decoded
from dfbench.datasets.picture import UnreadableImageError
from dfbench.errors import InvalidInput

_DARK = 0.5


@dataclass(frozen=True)
class SketchFile:
    """A sketch that was read."""

    pixels: NDArray[np.uint8]
    """`[1, 3, S, S]`."""
    notes: tuple[str, ...]
    """What may spoil its ranking."""


def read_sketch(file: Path, size: int) -> SketchFile:
    """The sketch in an image file at `size` pixels. Raises `InvalidInput` if it cannot be read."""
    try:
        pixels = decoded(file, size)
    except UnreadableImageError as fault:
        raise InvalidInput(
            f"sketch {str(file)!r} cannot be read ({fault}); allowed: an image file such as .png "
            "or .jpg, dark strokes on white"
        ) from fault
    dark = float(pixels.mean()) / 255 < _DARK
    told = "the sketch is mostly dark, and encoders know dark strokes on white: invert it?"
    return SketchFile(pixels[None], (told,) * dark)
