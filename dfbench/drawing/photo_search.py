"""Search for the drawing page: the photos nearest to a drawing, and single photos by index."""

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
from dfbench.retrieval.approximate import ApproximateIndex
from dfbench.retrieval.gallery import Gallery
from dfbench.retrieval.model import RetrievalModel
from dfbench.retrieval.search import ranked
from dfbench.retrieval.sheet import thumbnail

MOST_BYTES = 256 * 1024
"""Largest size of a drawing sent to the server."""
MOST_PIXELS = 1024
"""Largest width and height of a drawing."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">8sI4sII")


class RefusedDrawing(DfbenchError):
    """The data sent to the server is not a small PNG."""


def read_drawing(content: bytes) -> Image.Image:
    """The RGB image in a PNG of at most `MOST_BYTES`, with sides of 1 to `MOST_PIXELS` pixels.

    The size is read from the header before decoding, and only PNG is decoded. Raises
    `RefusedDrawing`.
    """
    if len(content) > MOST_BYTES:
        raise RefusedDrawing(f"{len(content)} bytes; allowed: a PNG of at most {MOST_BYTES}")
    if not content.startswith(_SIGNATURE) or len(content) < _HEADER.size:
        raise RefusedDrawing("not a PNG; allowed: image/png")
    _, _, kind, width, height = _HEADER.unpack_from(content)
    if kind != b"IHDR" or not (1 <= width <= MOST_PIXELS and 1 <= height <= MOST_PIXELS):
        raise RefusedDrawing(
            f"a PNG of {width} x {height} pixels; allowed: 1 to {MOST_PIXELS} pixels per side"
        )
    try:
        return read_picture(content, upright, formats=("PNG",))
    except UnreadableImageError as fault:
        raise RefusedDrawing("a PNG that cannot be decoded; allowed: a complete PNG") from fault


_SIDE = 320
_KEPT = 512


class PhotoSearch:
    """A gallery with the encoders for searching it; thread-safe."""

    def __init__(
        self,
        model: RetrievalModel,
        gallery: Gallery,
        count: int,
        index: ApproximateIndex | None = None,
    ) -> None:
        self._index = index
        self._model = model
        self._gallery = gallery
        self._count = count
        self._encoding = Lock()
        self._thumbnails = lru_cache(_KEPT)(self._thumbnail)

    def about(self) -> dict[str, Any]:
        """Information on the run and the gallery for the page."""
        about = self._model.about
        return {
            "method": about.label,
            "seed": about.seed,
            "folder": self._gallery.root.resolve().name,
            "photos": len(self._gallery),
            "classes": sorted({name for known in about.classes.values() for name in known}),
        }

    def rank(self, png: bytes) -> list[dict[str, Any]]:
        """The nearest photos, best first. Raises `RefusedDrawing` if `png` is not a small PNG."""
        drawing = read_drawing(png)
        with self._encoding:  # encoding uses all cores, so one drawing at a time
            hits = ranked(self._model, self._gallery, drawing, self._count, self._index)
        return [{"index": hit.index, "name": hit.name, "score": hit.score} for hit in hits]

    def photo(self, index: int) -> bytes:
        """A photo of the gallery as a small JPEG.

        Raises `IndexError` for an index out of range, `UnreadableImageError` for a file that no
        longer exists.
        """
        if not 0 <= index < len(self._gallery):
            raise IndexError(index)
        content: bytes = self._thumbnails(index)
        return content

    def _thumbnail(self, index: int) -> bytes:
        content = BytesIO()
        thumbnail(self._gallery.file(index), _SIDE).save(content, format="JPEG", quality=88)
        return content.getvalue()
