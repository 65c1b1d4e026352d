"""Re-ranking of embeddings: scored in a separate process, which has no labels, evaluated here."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from dfbench.errors import InvalidInput, MemoryExceeded, PluginFault, ProcessEnded, RunTimeout
from dfbench.evaluation import Evaluation
from dfbench.evaluation.given_scores import GivenScores, check_scores, content_order
from dfbench.evaluation.reranking.space import BLOCK_BYTES
from dfbench.plugins.info import RerankerInfo
from dfbench.plugins.sources import PluginSources
from dfbench.process.launch import call
from dfbench.process.messages import RerankFacts, RerankJob
from dfbench.process.supervision import Supervision
from dfbench.system.files import atomic_path

QUERIES_FILE = "queries.npy"
GALLERY_FILE = "gallery.npy"
_MOST_WAITING = 2
"""Blocks that may lie in the folder; the re-ranker waits until the parent has taken one."""
_GLANCE_SECONDS = 0.02


def blocks(queries: int, photos: int) -> list[tuple[int, int]]:
    """Bounds of the blocks of queries whose scores are handed over together."""
    step = max(1, BLOCK_BYTES // (4 * photos))
    return [(start, min(start + step, queries)) for start in range(0, queries, step)]


def hand_over(folder: Path, number: int, scores: NDArray[np.generic]) -> None:
    """Leave a block of scores in the folder, once there is room."""
    while len(list(folder.glob(_NAME.format("*")))) >= _MOST_WAITING:
        time.sleep(_GLANCE_SECONDS)
    with atomic_path(_file(folder, number)) as temporary, temporary.open("wb") as file:
        np.save(file, scores, allow_pickle=False)


def taken(folder: Path, number: int) -> Iterator[NDArray[np.generic]]:
    """The blocks that lie in the folder, from `number` on; each is removed.

    Raises `ValueError` for a file that is not an array.
    """
    while (file := _file(folder, number)).is_file():
        yield np.load(file, allow_pickle=False)
        file.unlink()
        number += 1


_NAME = "scores-{}.npy"


def _file(folder: Path, number: int) -> Path:
    return folder / _NAME.format(f"{number:06d}")


Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Reranked:
    """One re-ranking, evaluated."""

    reranker: RerankerInfo
    evaluation: Evaluation
    facts: RerankFacts


@dataclass(frozen=True)
class Top:
    """The photos with the highest scores of a re-ranker, best first."""

    index: NDArray[np.int64]
    """`[Q, k]`, indices into the gallery; those of equal scores ascend."""
    scores: Floats
    """`[Q, k]`."""


def rerank(
    reranker: RerankerInfo,
    queries: Floats,
    gallery: Floats,
    given: GivenScores,
    **process: Unpack[_Process],
) -> Reranked:
    """Re-rank a gallery `[G, D]` for queries `[Q, D]`, and evaluate by `given`.

    Raises like `handed_scores`.
    """
    facts = handed_scores(reranker, queries, gallery, given.add, **process)
    return Reranked(reranker, given.evaluation(), facts)


def reranked_top(
    reranker: RerankerInfo, queries: Floats, gallery: Floats, k: int, **process: Unpack[_Process]
) -> Top:
    """The `k` photos of a gallery `[G, D]` that a re-ranker scores highest for queries `[Q, D]`.

    Raises like `handed_scores`.
    """
    index = np.empty((len(queries), k), np.int64)
    best = np.empty((len(queries), k), np.float32)

    def take(rows: NDArray[np.int64], scores: NDArray[np.generic]) -> None:
        check_scores(scores, (len(rows), len(gallery)))
        found = scores.astype(np.float32)
        index[rows] = np.argsort(-found, axis=1, kind="stable")[:, :k]
        best[rows] = np.take_along_axis(found, index[rows], axis=1)

    handed_scores(reranker, queries, gallery, take, **process)
    return Top(index, best)


class _Process(TypedDict):
    """How a re-ranker's process is run."""

    similarity: str
    plugins: PluginSources
    threads: int
    supervision: Supervision
    parent: NotRequired[Path | None]


def handed_scores(
    reranker: RerankerInfo,
    queries: Floats,
    gallery: Floats,
    take: Callable[[NDArray[np.int64], NDArray[np.generic]], None],
    *,
    similarity: str,
    plugins: PluginSources,
    threads: int,
    supervision: Supervision,
    parent: Path | None = None,
) -> RerankFacts:
    """Call `take` with queries and their scores of all photos, block by block.

    The process gets both sides in an order that follows from the embeddings alone. At most two
    blocks of 64 MiB of scores exist at a time, in a folder inside `parent` that is removed at the
    end. Raises `PluginFault`, naming the re-ranker, if it raises, alters its inputs, returns other
    than finite scores for all photos, or exceeds the limits of `supervision`.
    """
    scored = _Blocks(take, queries, gallery)
    job = RerankJob(reranker=reranker, plugins=plugins, similarity=similarity, threads=threads)
    with tempfile.TemporaryDirectory(prefix="dfbench-rerank-", dir=parent) as name:
        folder = Path(name)
        np.save(folder / QUERIES_FILE, queries[scored.queries])
        np.save(folder / GALLERY_FILE, gallery[scored.gallery])
        whose = f"re-ranker {reranker.label!r} of plugin {reranker.plugin!r}"
        try:
            outcome = call(
                "rerank",
                job,
                folder,
                supervision.of_reranking,
                attend=lambda: scored.hand_on(folder),
            )
            scored.hand_on(folder)
            scored.check_complete()
        except RunTimeout as fault:
            raise PluginFault(f"{whose}: {fault.reason} (longer: --rerank-timeout TIME)") from fault
        except MemoryExceeded as fault:
            raise PluginFault(f"{whose}: {fault.reason} (more: --memory-limit GIB)") from fault
        except ProcessEnded as fault:
            raise PluginFault(f"{whose}: {fault.reason}") from fault
        except (InvalidInput, ValueError, IndexError) as fault:
            raise PluginFault(f"{whose}: its {fault}") from fault
    if outcome.reranked is None:
        raise RuntimeError("a re-ranking without an error has facts")
    return outcome.reranked


class _Blocks:
    """Hands on blocks of scores as they arrive, in the order of the original embeddings."""

    def __init__(
        self,
        take: Callable[[NDArray[np.int64], NDArray[np.generic]], None],
        queries: Floats,
        gallery: Floats,
    ) -> None:
        self.queries, self.gallery = content_order(queries), content_order(gallery)
        self._places = np.argsort(self.gallery)
        self._blocks = blocks(len(queries), len(gallery))
        self._take = take
        self._number = 0

    def hand_on(self, folder: Path) -> None:
        for scores in taken(folder, self._number):
            start, stop = self._blocks[self._number]
            whole = scores.ndim == 2 and scores.shape[1] == len(self._places)
            self._take(self.queries[start:stop], scores[:, self._places] if whole else scores)
            self._number += 1

    def check_complete(self) -> None:
        left = len(self._blocks) - self._number
        if left:
            raise InvalidInput(f"scores of {left} of {len(self._blocks)} blocks are missing")
