"""What the page asks for: the photos nearest to a drawing, and a photo by its number."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from threading import Lock
from typing import Any

from dfbench.drawing.drawing_png import read_drawing
from dfbench.retrieval.gallery import Gallery
from dfbench.retrieval.model import RetrievalModel
from dfbench.retrieval.search import ranked
from dfbench.retrieval.thumbnail import thumbnail

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
