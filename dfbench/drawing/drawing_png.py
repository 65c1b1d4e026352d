"""The one kind of file that the page may send: a small PNG, looked at before it is decoded."""

from __future__ import annotations

import struct

from PIL import Image

from dfbench.datasets.decoding import read_picture
from dfbench.datasets.picture import UnreadableImageError, upright
from dfbench.errors import DfbenchError

MOST_BYTES = 256 * 1024
"""Of a drawing as it is sent."""
MOST_PIXELS = 1024
"""To a side."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">8sI4sII")


class RefusedDrawing(DfbenchError):
    """What was sent is no small PNG."""


def read_drawing(content: bytes) -> Image.Image:
    """The picture in a PNG file of at most `MOST_BYTES`, 1 to `MOST_PIXELS` pixels a side, in RGB.

    Its size is read from the header before anything is decoded, and it is decoded as PNG or not at
    all. Raises `RefusedDrawing`.
    """
    if len(content) > MOST_BYTES:
        raise RefusedDrawing(f"{len(content)} bytes; allowed: a PNG of at most {MOST_BYTES}")
    if not content.startswith(_SIGNATURE) or len(content) < _HEADER.size:
        raise RefusedDrawing("not a PNG; allowed: image/png")
    _, _, kind, width, height = _HEADER.unpack_from(content)
    if kind != b"IHDR" or not (1 <= width <= MOST_PIXELS and 1 <= height <= MOST_PIXELS):
        raise RefusedDrawing(
            f"a PNG of {width} x {height} pixels; allowed: 1 to {MOST_PIXELS} to a side"
        )
    try:
        return read_picture(content, upright, formats=("PNG",))
    except UnreadableImageError as fault:
        raise RefusedDrawing("a PNG that cannot be decoded; allowed: a whole one") from fault
