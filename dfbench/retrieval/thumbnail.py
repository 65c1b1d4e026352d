"""Small pictures of large image files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from dfbench.datasets.decoding import image_content, read_picture
from dfbench.datasets.picture import upright


def thumbnail(file: Path, side: int) -> Image.Image:
    """The image of a file, upright, RGB on white, within a square of `side` pixels.

    It keeps its proportions; a smaller one is enlarged, pixel by pixel. Raises
    `UnreadableImageError`.
    """

    def drafted(image: Image.Image) -> Image.Image:
        image.draft("RGB", (side, side))  # a large JPEG is decoded at a part of its size
        return upright(image)

    whole = read_picture(image_content(file), drafted)
    small = max(whole.size) < side
    filtering = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return ImageOps.contain(whole, (side, side), filtering)
