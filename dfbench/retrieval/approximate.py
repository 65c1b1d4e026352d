"""Approximate search of a large gallery: an index of cells, kept beside its embeddings.

Embeddings are assigned to the nearest of about sqrt(N) cells (k-means) and stored with one byte a
dimension. A query is compared with the photos of its nearest cells only; the best of these are then
ranked exactly, by their own embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from dfbench.errors import InvalidInput
from dfbench.retrieval.gallery import Gallery
from dfbench.system import console
from dfbench.system.files import atomic_path, check_writable
from dfbench.version import install_command

_LEAST = 10_000
"""Photos from which an index is used: fewer are compared in a moment."""
_BLOCK = 16_384
_SAMPLES_A_CELL = 64
_MOST_CELLS = 4096
_QUERIES = 200
_COUNT = 10
"""Recall is that of the ten nearest photos."""
_WANTED_RECALL = 0.95
_LEAST_PROPOSED = 100
_VERSION = 1
_PATIENCE = 2.0


class IndexFacts(BaseModel):
    """What is known of a stored index."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    gallery: str
    """Identity of the embeddings in it."""
    similarity: str
    version: int
    probes: int
    """Cells compared with a query."""
    recall: float
    """Share of the ten nearest photos that are found, with photos of the gallery as queries."""


@dataclass(frozen=True)
class ApproximateIndex:
    """An index of a gallery's embeddings."""

    index: Any
    facts: IndexFacts

    def near(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Indices, ascending, of photos near to a query `[D]`: at least k, if there are as many."""
        rows = _comparable(query[None], self.facts.similarity)
        probes = self.facts.probes
        while True:
            (found,) = _near(self.index, rows, k, probes)
            if len(found) >= min(k, self.index.ntotal):
                return found
            probes *= 2  # the cells compared hold fewer photos than asked for


def check_installed() -> None:
    """Raise `InvalidInput` unless faiss is installed."""
    if find_spec("faiss") is None:
        raise InvalidInput(
            f"--approximate requires faiss, which is not installed; {install_command('ann')}"
        )


def open_index(gallery: Gallery, similarity: str) -> ApproximateIndex | None:
    """The index of a gallery, made anew if its photos have changed; None for a small gallery.

    The number of cells compared is the least at which photos of the gallery find .95 of their ten
    nearest. Raises `InvalidInput` without the extra or for embeddings that cannot be indexed,
    `FileFault` if the cache cannot be written to.
    """
    check_installed()
    if len(gallery) < _LEAST:
        console.note(f"{len(gallery)} photos, searched exactly: an index is for {_LEAST} or more")
        return None
    file = gallery.cached.with_suffix(".faiss")
    told = file.with_suffix(".faiss.json")
    found = _read(file, told)
    if found is None or (found.facts.gallery, found.facts.similarity, found.facts.version) != (
        gallery.identity,
        similarity,
        _VERSION,
    ):
        found = _made(gallery, similarity)
        _write(found, file, told)
    facts, cells = found.facts, found.index.nlist
    console.note(
        f"approximate: {facts.probes} of {cells} cells of photos compared; recall@{_COUNT} "
        f"{facts.recall:.3f}, measured with photos of the gallery as queries"
    )
    return found


def _made(gallery: Gallery, similarity: str) -> ApproximateIndex:
    import faiss

    photos = gallery.embeddings
    if not all(np.isfinite(photos[at]).all() for at in _blocks(len(photos))):
        raise InvalidInput(
            "the gallery has embeddings that are not finite, which cannot be indexed; leave out "
            "--approximate to see which photo it is"
        )
    n_cells = min(_MOST_CELLS, isqrt(len(photos)))
    metric = faiss.METRIC_INNER_PRODUCT if similarity == "inner" else faiss.METRIC_L2
    index = faiss.index_factory(photos.shape[1], f"IVF{n_cells},SQ8", metric)
    chosen = np.random.default_rng(0).permutation(len(photos))
    sample = np.sort(chosen[: _SAMPLES_A_CELL * n_cells])
    with console.progress("indexing photos", len(photos), after=_PATIENCE) as advance:
        index.train(_comparable(photos[sample], similarity))
        for at in _blocks(len(photos)):
            block = _comparable(photos[at], similarity)
            index.add(block)
            advance(len(block))
    places = np.sort(chosen[:_QUERIES])
    probes, recall = _calibrated(index, photos, places, similarity)
    facts = IndexFacts(
        gallery=gallery.identity,
        similarity=similarity,
        version=_VERSION,
        probes=probes,
        recall=recall,
    )
    return ApproximateIndex(index, facts)


def _calibrated(
    index: Any, photos: NDArray[np.float32], places: NDArray[np.int64], similarity: str
) -> tuple[int, float]:
    """The least number of cells, doubled each time, at which enough is found; and the recall."""
    queries = _comparable(photos[places], similarity)
    # Without the photo itself, which is in the first cell compared.
    nearest = _nearest(queries, photos, similarity, _COUNT + 1)
    exact = [row[row != place] for place, row in zip(places, nearest, strict=True)]
    probes = 1
    while True:
        found = _near(index, queries, _COUNT, probes)
        shares = [np.isin(e, f).mean() for e, f in zip(exact, found, strict=True)]
        recall = float(np.mean(shares))
        if recall >= _WANTED_RECALL or probes >= index.nlist:
            return probes, recall
        probes = min(2 * probes, index.nlist)


def _near(index: Any, queries: NDArray[np.float32], k: int, probes: int) -> list[NDArray[np.int64]]:
    """For each query, the photos proposed for exact ranking of the nearest k."""
    index.nprobe = min(probes, index.nlist)
    count = min(max(_LEAST_PROPOSED, 4 * k), index.ntotal)
    _, found = index.search(queries, count)
    return [np.sort(row[row >= 0]) for row in found]


def _nearest(
    queries: NDArray[np.float32], photos: NDArray[np.float32], similarity: str, k: int
) -> NDArray[np.int64]:
    """Indices `[Q, k]` of the nearest photos of each query, compared with all, block by block."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    places = np.zeros((len(queries), k), np.int64)
    for at in _blocks(len(photos)):
        block = _comparable(photos[at], similarity)
        scores = queries @ block.T
        if similarity != "inner":
            scores -= 0.5 * np.einsum("nd,nd->n", block, block)
        both = np.concatenate([best, scores], axis=1)
        here = np.broadcast_to(np.arange(at.start, at.start + len(block)), scores.shape)
        among = np.concatenate([places, here], axis=1)
        top = np.argpartition(-both, k - 1, axis=1)[:, :k]
        best = np.take_along_axis(both, top, axis=1)
        places = np.take_along_axis(among, top, axis=1)
    return places


def _comparable(rows: NDArray[np.float32], similarity: str) -> NDArray[np.float32]:
    """Embeddings as the index compares them: for cosines, on the unit sphere."""
    rows = np.ascontiguousarray(rows)
    if similarity != "cosine":
        return rows
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit


def _blocks(size: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]


def _read(file: Path, told: Path) -> ApproximateIndex | None:
    """The stored index, of which only the cells compared are read; None without a whole one."""
    import faiss

    try:
        facts = IndexFacts.model_validate_json(told.read_bytes())
        index = faiss.read_index(str(file), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except (OSError, ValidationError, RuntimeError):  # RuntimeError is faiss's for every file
        return None
    return ApproximateIndex(index, facts)


def _write(made: ApproximateIndex, file: Path, told: Path) -> None:
    """Replace the index, and what is known of it last, so that the two always agree."""
    import faiss

    check_writable(file)
    told.unlink(missing_ok=True)
    with atomic_path(file) as temporary:
        faiss.write_index(made.index, str(temporary))
    with atomic_path(told) as temporary:
        temporary.write_text(made.facts.model_dump_json(), encoding="utf-8")
