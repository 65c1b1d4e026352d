"""Evaluation of given scores, e.g. of a re-ranker, under the metrics and ties of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.evaluation.definitions import DEFAULT_METRICS, Metric
from dfbench.evaluation.harness import (
    Evaluation,
    OutsideMetrics,
    QueryMask,
    Tally,
    chosen_metrics,
)
from dfbench.evaluation.ranking.inputs import Array
from dfbench.evaluation.ranking.labels import Labels
from dfbench.evaluation.ranking.similarity import full_precision
from dfbench.evaluation.ranking.task import prepared
from dfbench.evaluation.ranking.torch_engine import rank_scores

_CPU = torch.device("cpu")


def content_order(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """`[N]`: an order of embeddings `[N, D]` that follows from their values alone.

    It says nothing about the order they came in, and so nothing about their classes.
    """
    keys = [blake2b(row.tobytes(), digest_size=16).digest() for row in np.ascontiguousarray(rows)]
    return np.array(sorted(range(len(keys)), key=lambda at: (keys[at], at)), dtype=np.int64)


class GivenScores:
    """Queries and a gallery whose scores are given block by block.

    Arguments are those of `evaluate`; photos with equal embeddings tie, whatever their scores.
    Raises like `evaluate`.
    """

    def __init__(
        self,
        queries: Array,
        gallery: Array,
        query_labels: Labels,
        gallery_labels: Labels,
        *,
        similarity: str = "cosine",
        metrics: Sequence[str | Metric] | str = DEFAULT_METRICS,
        bootstrap: int = 1000,
        seed: int = 0,
        groups: Mapping[str, QueryMask] | None = None,
        outside: OutsideMetrics | None = None,
    ) -> None:
        wanted = chosen_metrics(metrics)
        with full_precision(_CPU):
            task = prepared(queries, gallery, query_labels, gallery_labels, similarity, _CPU)
        self._task = replace(task, reach=max(one.reach(task.n_photos) for one in wanted))
        self._tally = Tally(self._task, wanted, similarity, bootstrap, seed, groups or {}, outside)
        self._left = np.ones(len(queries), np.bool_)

    def add(self, rows: NDArray[np.int64], scores: NDArray[Any]) -> None:
        """Add scores `[B, G]` of queries `rows` `[B]`; larger is better.

        Raises `InvalidInput` for another shape or type, and for scores that are not finite.
        """
        check_scores(scores, (len(rows), self._task.n_photos))
        self._left[rows] = False
        given = torch.from_numpy(np.ascontiguousarray(scores, np.float32))
        for ranked in rank_scores(self._task, torch.from_numpy(rows), given):
            self._tally.add(ranked)

    def evaluation(self) -> Evaluation:
        """All results. Raises `InvalidInput` if queries have no scores yet."""
        if self._left.any():
            raise InvalidInput(f"{int(self._left.sum())} queries have no scores; allowed: none")
        return self._tally.evaluation()


def check_scores(scores: NDArray[Any], shape: tuple[int, int]) -> None:
    """Raise `InvalidInput` unless scores are finite floats of this shape `[B, G]`."""
    if scores.shape != shape:
        raise InvalidInput(
            f"scores have shape {list(scores.shape)}; allowed: {list(shape)}, one for every query "
            "and photo"
        )
    if not np.issubdtype(scores.dtype, np.floating):
        raise InvalidInput(f"scores are {scores.dtype}; allowed: floating point")
    with np.errstate(over="ignore"):
        finite = np.isfinite(scores.astype(np.float32, copy=False)).all(axis=1)
    if not finite.all():
        raise InvalidInput(
            f"scores are not finite (NaN or infinite) for {int((~finite).sum())} of {len(scores)} "
            "queries of a block; allowed: finite numbers of float32"
        )
