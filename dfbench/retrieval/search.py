"""Retrieval of the photos nearest to a sketch, and reading of sketch files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.images.decoding import decoded
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.retrieval.gallery import Gallery
from dfbench.retrieval.model import Pictures, RetrievalModel


@dataclass(frozen=True)
class Hit:
    """A retrieved photo."""

    index: int
    """Index in the gallery's files."""
    name: str
    """Path relative to the gallery."""
    score: float
    """Cosine or inner product of the embeddings, or their Euclidean distance."""


def ranked(model: RetrievalModel, gallery: Gallery, sketch: Pictures, k: int) -> list[Hit]:
    """The k photos (or all, if there are fewer) nearest to one sketch, best first.

    Ties are broken by path. Raises `InvalidInput` for a sketch that cannot be used as a query.
    """
    query = model.encode_sketches(sketch)
    best = model.rank(query, gallery.embeddings, min(k, len(gallery.files)))[0]
    scores = _scores(query[0], gallery.embeddings[best], model.about.similarity)
    return [
        Hit(int(index), gallery.name(index), float(score))
        for index, score in zip(best, scores, strict=True)
    ]


def _scores(
    query: NDArray[np.float32], photos: NDArray[np.float32], similarity: str
) -> NDArray[np.float32]:
    if similarity == "euclidean":
        distances: NDArray[np.float32] = np.linalg.norm(photos - query, axis=1)
        return distances
    products: NDArray[np.float32] = photos @ query
    if similarity == "cosine":
        products /= np.linalg.norm(photos, axis=1) * np.linalg.norm(query)
    return products


_DARK = 0.5


@dataclass(frozen=True)
class SketchFile:
    """A sketch read from a file."""

    pixels: NDArray[np.uint8]
    """`[1, 3, S, S]`."""
    notes: tuple[str, ...]
    """Warnings about problems that may affect its ranking."""


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
    told = "the sketch is mostly dark, but encoders expect dark strokes on white: invert it?"
    return SketchFile(pixels[None], (told,) * dark)
