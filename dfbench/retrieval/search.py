"""The photos of a gallery that are nearest to a sketch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfbench.retrieval.gallery import Gallery
from dfbench.retrieval.model import Pictures, RetrievalModel


@dataclass(frozen=True)
class Hit:
    """A photo that was found."""

    index: int
    """Of the gallery's files."""
    name: str
    """Path below the gallery."""
    score: float
    """Cosine or inner product of the embeddings, or their Euclidean distance."""


def ranked(model: RetrievalModel, gallery: Gallery, sketch: Pictures, k: int) -> list[Hit]:
    """The k photos (all, if there are fewer) that are nearest to one sketch, best first.

    Photos that tie are in the order of their paths. Raises `InvalidInput` for a sketch that cannot
    be ranked by.
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
