"""What the drawing page asks for: the photos nearest to a drawing, and one photo by number."""

from __future__ import annotations

import struct
from functools import lru_cache
from io import BytesIO
from threading import Lock
from typing import Any

from PIL import Image

from dfbench.datasets.images.decoding import read_picture
from dfbench.datasets.images.picture import UnreadableImageError, upright
from dfbench.errors import DfbenchError
from dfbench.retrieval.gallery import Gallery
from dfbench.retrieval.model import RetrievalModel
from dfbench.retrieval.search import ranked
from dfbench.retrieval.sheet import thumbnail

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


_SIDE = 320
_KEPT = 512


class PhotoSearch:
    """A gallery and the encoders it is searched by; threads may share it."""

    def __init__(self, model: RetrievalModel, gallery: Gallery, count: int) -> None:
        self._model = model
        self._gallery = gallery
        self._count = count
        self._encoding = Lock()
        self._thumbnails = lru_cache(_KEPT)(self._thumbnail)

    def about(self) -> dict[str, Any]:
        """What the page says of run and gallery."""
        about = self._model.about
        return {
            "method": about.method,
            "seed": about.seed,
            "folder": self._gallery.root.resolve().name,
            "photos": len(self._gallery.files),
            "classes": sorted({name for known in about.classes.values() for name in known}),
        }

    def rank(self, png: bytes) -> list[dict[str, Any]]:
        """The nearest photos, best first. Raises `RefusedDrawing` for what is no small PNG."""
        drawing = read_drawing(png)
        with self._encoding:  # encoding takes all cores: one drawing after the other
            hits = ranked(self._model, self._gallery, drawing, self._count)
        return [{"index": hit.index, "name": hit.name, "score": hit.score} for hit in hits]

    def photo(self, index: int) -> bytes:
        """A photo of the gallery as a small JPEG.

        Raises `IndexError` for a number that no photo has, `UnreadableImageError` for a file that
        is gone by now.
        """
        if not 0 <= index < len(self._gallery.files):
            raise IndexError(index)
        content: bytes = self._thumbnails(index)
        return content

    def _thumbnail(self, index: int) -> bytes:
        content = BytesIO()
        thumbnail(self._gallery.files[index], _SIDE).save(content, format="JPEG", quality=88)
        return content.getvalue()
