"""Retrieval of the photos nearest to a sketch, and reading of sketch files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.images.decoding import decoded
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.defaults import chosen_cache
from dfbench.errors import InvalidInput
from dfbench.retrieval.approximate import ApproximateIndex
from dfbench.retrieval.gallery import Gallery, open_gallery
from dfbench.retrieval.model import Pictures, RerankStage, RetrievalModel
from dfbench.system.files import absolute

_BLOCK = 16_384
"""Photos scored at a time."""


@dataclass(frozen=True)
class Hit:
    """A retrieved photo."""

    index: int
    """Index in the gallery's files."""
    name: str
    """Path relative to the gallery."""
    score: float
    """Cosine or inner product of the embeddings, or their Euclidean distance."""


@dataclass(frozen=True)
class RerankedHit:
    """A photo retrieved by a re-ranker, with its place in the plain ranking."""

    hit: Hit
    """The photo, with the score of the plain ranking."""
    plain_rank: int
    """Its rank from 1 in the plain ranking of all photos."""
    score: float
    """The re-ranker's score; comparable within this query only."""


def reranked(
    model: RetrievalModel, gallery: Gallery, sketch: Pictures, k: int, stage: RerankStage
) -> list[RerankedHit]:
    """The k photos (or all, if there are fewer) that a re-ranker scores highest, best first.

    It uses all photos of the gallery at once. Ties are broken by path. Raises `PluginFault` if the
    re-ranker fails, and `InvalidInput` for a sketch that cannot be used as a query.
    """
    query = model.encode_sketches(sketch)
    plain, _ = _scores(query[0], gallery.embeddings, model.about.similarity)
    places = np.argsort(model.rank(query, gallery.embeddings, len(gallery))[0])
    top = model.top_reranked(query, gallery.embeddings, min(k, len(gallery)), stage)
    return [
        RerankedHit(
            Hit(int(index), gallery.names[index], float(plain[index])),
            int(places[index]) + 1,
            float(score),
        )
        for index, score in zip(top.index[0], top.scores[0], strict=True)
    ]


def ranked(
    model: RetrievalModel,
    gallery: Gallery,
    sketch: Pictures,
    k: int,
    index: ApproximateIndex | None = None,
) -> list[Hit]:
    """The k photos (or all, if there are fewer) nearest to one sketch, best first.

    With an index, those nearest among the photos that it proposes. Ties are broken by path. Raises
    `InvalidInput` for a sketch that cannot be used as a query.
    """
    return _nearest(model, gallery, model.encode_sketches(sketch), k, index)


def _nearest(
    model: RetrievalModel,
    gallery: Gallery,
    query: NDArray[np.float32],
    k: int,
    index: ApproximateIndex | None = None,
) -> list[Hit]:
    """The photos nearest to one embedding `[1, D]`; see `ranked`."""
    similarity = model.about.similarity
    if index is None:
        scores, error = _scores(query[0], gallery.embeddings, similarity)
        near = _candidates(-scores if similarity == "euclidean" else scores, error, k)
        scores = scores[near]
    else:
        near = index.near(query[0], k)
        scores, _ = _scores(query[0], gallery.embeddings[near], similarity)
    best = model.rank(query, gallery.embeddings[near], min(k, len(near)))[0]
    return [Hit(int(near[i]), gallery.names[near[i]], float(scores[i])) for i in best]


@dataclass(frozen=True)
class PhotoIndex:
    """The photos in a folder, to be searched for sketches.

    >>> index = PhotoIndex.open("~/Pictures", model)  # doctest: +SKIP
    >>> for hits in index.search(["cat.png", "house.png"], k=5):  # doctest: +SKIP
    ...     print([hit.name for hit in hits])
    """

    model: RetrievalModel
    gallery: Gallery

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        model: RetrievalModel,
        *,
        cache: str | os.PathLike[str] | None = None,
    ) -> PhotoIndex:
        """The index of all images in a folder and its subfolders.

        Embeddings are cached in `cache`, by default the user's cache folder, so that only new and
        changed files are embedded. Raises `InvalidInput` for a path that is not a folder or has no
        readable image, `FileFault` if the cache cannot be written to.
        """
        place = chosen_cache() if cache is None else Path(cache).expanduser()
        return cls(model, open_gallery(Path(folder).expanduser(), model, absolute(place)))

    def __len__(self) -> int:
        return len(self.gallery)

    def search(self, sketches: Pictures, k: int = 10) -> list[list[Hit]]:
        """For each sketch its k nearest photos (or all, if there are fewer), best first.

        Ties are broken by path. Raises `InvalidInput` for sketches that cannot be read or ranked,
        and for k below 1.
        """
        if k < 1:
            raise InvalidInput(f"k is {k}; allowed: a number of photos from 1")
        queries = self.model.encode_sketches(sketches)
        return [_nearest(self.model, self.gallery, row[None], k) for row in queries]

    def file(self, hit: Hit) -> Path:
        """The file of a retrieved photo."""
        return self.gallery.file(hit.index)


def _candidates(nearness: NDArray[np.float32], error: float, k: int) -> NDArray[np.int64]:
    """Indices, ascending, of all photos that can be among the k nearest by exact ranking.

    All photos if some nearness is not finite: exact ranking says which embedding is at fault.
    """
    if k >= len(nearness) or not np.isfinite(nearness).all():
        return np.arange(len(nearness))
    return np.flatnonzero(nearness >= np.partition(nearness, -k)[-k] - 2 * error)


def _scores(
    query: NDArray[np.float32], photos: NDArray[np.float32], similarity: str
) -> tuple[NDArray[np.float32], float]:
    """Cosine, inner product or distance of all photos `[G]`, and a bound on its rounding error.

    A float32 sum of D products is off by at most D eps times the product of the norms.
    """
    scores, norms = np.empty((2, len(photos)), np.float32)
    for start in range(0, len(photos), _BLOCK):
        at = slice(start, start + _BLOCK)
        block = photos[at]
        if similarity == "euclidean":
            scores[at] = np.linalg.norm(block - query, axis=1)
        else:
            scores[at] = block @ query
            norms[at] = np.linalg.norm(block, axis=1)
    largest = np.linalg.norm(query) * norms.max() if similarity == "inner" else 1.0
    if similarity == "cosine":
        with np.errstate(invalid="ignore"):  # a photo without direction is refused by the ranking
            scores /= norms * np.linalg.norm(query)
    elif similarity == "euclidean":
        largest = scores.max()
    return scores, len(query) * float(np.finfo(np.float32).eps * largest)


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
