"""Re-ranking of embeddings: scored in a separate process, which has no labels, evaluated here."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.errors import InvalidInput, PluginFault
from dfbench.evaluation import Evaluation
from dfbench.evaluation.given_scores import GivenScores, content_order
from dfbench.plugins.reranker_info import RerankerInfo
from dfbench.plugins.sources import PluginSources
from dfbench.process.launch import call
from dfbench.process.messages import RerankFacts, RerankJob
from dfbench.process.score_blocks import GALLERY_FILE, QUERIES_FILE, blocks, taken
from dfbench.process.supervision import ProcessEnded, Supervision

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Reranked:
    """One re-ranking, evaluated."""

    reranker: RerankerInfo
    evaluation: Evaluation
    facts: RerankFacts


class _Evaluator:
    """Evaluates blocks of scores as they arrive, in the order of the original embeddings."""

    def __init__(self, given: GivenScores, queries: Floats, gallery: Floats) -> None:
        self.queries, self.gallery = content_order(queries), content_order(gallery)
        self._places = np.argsort(self.gallery)
        self._blocks = blocks(len(queries), len(gallery))
        self._given = given
        self._number = 0

    def take(self, folder: Path) -> None:
        for scores in taken(folder, self._number):
            start, stop = self._blocks[self._number]
            whole = scores.ndim == 2 and scores.shape[1] == len(self._places)
            self._given.add(self.queries[start:stop], scores[:, self._places] if whole else scores)
            self._number += 1


def rerank(
    reranker: RerankerInfo,
    queries: Floats,
    gallery: Floats,
    given: GivenScores,
    *,
    similarity: str,
    plugins: PluginSources,
    threads: int,
    supervision: Supervision,
    parent: Path | None = None,
) -> Reranked:
    """Re-rank a gallery `[G, D]` for queries `[Q, D]`, and evaluate by `given`.

    The process gets both in an order that follows from the embeddings alone. At most two blocks of
    64 MiB of scores exist at a time, in a folder inside `parent` that is removed at the end.
    Raises `PluginFault`, naming the re-ranker, if it raises, alters its inputs, returns other than
    finite scores for all photos, or exceeds the limits of `supervision`.
    """
    evaluator = _Evaluator(given, queries, gallery)
    job = RerankJob(reranker=reranker, plugins=plugins, similarity=similarity, threads=threads)
    with tempfile.TemporaryDirectory(prefix="dfbench-rerank-", dir=parent) as name:
        folder = Path(name)
        np.save(folder / QUERIES_FILE, queries[evaluator.queries])
        np.save(folder / GALLERY_FILE, gallery[evaluator.gallery])
        whose = f"re-ranker {reranker.label!r} of plugin {reranker.plugin!r}"
        try:
            outcome = call(
                "rerank", job, folder, supervision, attend=lambda: evaluator.take(folder)
            )
            evaluator.take(folder)
            evaluation = given.evaluation()
        except ProcessEnded as fault:
            raise PluginFault(f"{whose}: {fault.reason}") from fault
        except (InvalidInput, ValueError, IndexError) as fault:
            raise PluginFault(f"{whose}: its {fault}") from fault
    if outcome.reranked is None:
        raise RuntimeError("a re-ranking without an error has facts")
    return Reranked(reranker, evaluation, outcome.reranked)
