"""Small pictures of large image files."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, ImageOps

from dfbench.datasets.decoding import UnreadableImageError, upright


def thumbnail(file: Path, side: int) -> Image.Image:
    """The image of a file, upright, RGB on white, within a square of `side` pixels.

    It keeps its proportions; a smaller one is enlarged, pixel by pixel. Raises
    `UnreadableImageError`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                image.draft("RGB", (side, side))  # a large JPEG is decoded at a part of its size
                whole = upright(image)
    except Exception as fault:  # Pillow's readers raise whatever a broken file makes them
        raise UnreadableImageError(f"{type(fault).__name__}: {fault}") from fault
    small = max(whole.size) < side
    filtering = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return ImageOps.contain(whole, (side, side), filtering)
