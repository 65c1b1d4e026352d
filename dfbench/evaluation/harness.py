"""Evaluation: embeddings and labels in, all requested metrics out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from dfbench.errors import InvalidInput, PluginFault, checked_seed, whole_number
from dfbench.evaluation.bootstrap import MOST_RESAMPLES, mean_intervals
from dfbench.evaluation.definitions import DEFAULT_METRICS, Definition, Metric, metric
from dfbench.evaluation.ranking.devices import chosen_device, engine_for
from dfbench.evaluation.ranking.groups import Ranked
from dfbench.evaluation.ranking.inputs import Array
from dfbench.evaluation.ranking.labels import IntArray, Label, Labels, Relevance
from dfbench.evaluation.ranking.similarity import full_precision
from dfbench.evaluation.ranking.task import RankingTask, prepared

FloatArray = npt.NDArray[np.float64]
QueryMask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """One metric of one ranking."""

    value: float
    """Mean over the queries that have a relevant photo."""
    low: float | None
    """Lower end of the 95 % bootstrap interval over those queries; None without a bootstrap."""
    high: float | None
    """Upper end."""
    ceiling: float | None
    """Score of a perfect ranking, the mean of min(1, R/k); None except for prec@k."""
    macro: float
    """Mean over classes of the class means."""
    queries: int
    """Number of queries that entered the mean."""


@dataclass(frozen=True)
class Evaluation:
    """All results of one ranking, by metric name."""

    scores: dict[str, Score]
    per_query: dict[str, FloatArray]
    """Values [Q]; NaN for a query without a relevant photo."""
    per_class: dict[str, dict[Label, float]]
    """Mean over the queries of each class; only classes with a relevant photo."""
    definitions: dict[str, Definition]
    skipped: IntArray
    """Queries left out of every mean because the gallery has no photo of their class."""
    similarity: str
    photos: int
    """Photos in the gallery."""
    groups: dict[str, dict[str, Score]]
    """Scores of the requested query groups, by name; only groups with a scored query."""
    group_sizes: dict[str, int]
    """Number of scored queries in each of these groups."""
    tied_share: float
    """Share of a query's (positive, negative) pairs that tie although their embeddings differ, by
    equal similarities or a difference below the resolution of float32. Scores are expectations
    over their order.
    """
    faults: dict[str, str] = field(default_factory=dict)
    """Errors of metrics of plugins, by name; such metrics have no score."""


class OutsideMetrics(Protocol):
    """Computes the metrics that have no implementation in this process."""

    def keep(self, ranked: Ranked) -> None:
        """Take a batch of the ranking."""

    def values(self, metric: Metric) -> FloatArray:
        """A metric's values [Q] for all queries kept, in their order. Raises `PluginFault`."""


def evaluate(
    queries: Array,
    gallery: Array,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    similarity: str = "cosine",
    metrics: Sequence[str | Metric] | str = DEFAULT_METRICS,
    device: str = "cpu",
    bootstrap: int = 1000,
    seed: int = 0,
    groups: Mapping[str, QueryMask] | None = None,
    outside: OutsideMetrics | None = None,
) -> Evaluation:
    """Rank the gallery for every query and score the rankings.

    `queries` [Q, D] and `gallery` [G, D] are NumPy arrays or torch tensors of finite real numbers,
    used as float32; labels are integers or strings, [Q] and [G]. `similarity` is `cosine`, `inner`
    or `euclidean`; `metrics` is one name of `dfbench.evaluation.METRIC_PATTERNS` or several;
    `bootstrap` is the number of resamples (0 for none), drawn from `seed`; `groups` are masks [Q]
    of queries that are also scored separately, against the same gallery. The result does not depend
    on the device, the number of threads or the order of queries and photos, except that the ordered
    variants keep tied photos in gallery order. Raises `InvalidInput` or `UnknownName` for invalid
    inputs.
    """
    place = chosen_device(device)
    wanted = chosen_metrics(metrics)
    with full_precision(place):
        task = prepared(queries, gallery, query_labels, gallery_labels, similarity, place)
        task = replace(task, reach=max(one.reach(task.n_photos) for one in wanted))
        tally = Tally(task, wanted, similarity, bootstrap, seed, groups or {}, outside)
        for ranked in engine_for(place)(task):
            tally.add(ranked)
    return tally.evaluation()


def chosen_metrics(metrics: Sequence[str | Metric] | str) -> list[Metric]:
    """The metrics of these names, each once. Raises `InvalidInput` or `UnknownName`."""
    names = (metrics,) if isinstance(metrics, str) else metrics
    wanted = [one if isinstance(one, Metric) else metric(one) for one in dict.fromkeys(names)]
    if not wanted:
        raise InvalidInput(
            f"metrics are {metrics!r}; allowed: at least one; omit them for the defaults"
        )
    return wanted


class Tally:
    """Values of metrics for each query of a task, collected batch by batch.

    Raises `InvalidInput` for an invalid number of resamples, seed or query group.
    """

    def __init__(
        self,
        task: RankingTask,
        wanted: Sequence[Metric],
        similarity: str,
        bootstrap: int,
        seed: int,
        groups: Mapping[str, QueryMask],
        outside: OutsideMetrics | None = None,
    ) -> None:
        self._task = task
        self._wanted = wanted
        self._similarity = similarity
        self._seed = checked_seed(seed)
        self._bootstrap = whole_number("bootstrap", bootstrap, 0, MOST_RESAMPLES)
        self._groups = _scored(groups, task.relevance)
        self._outside = outside
        self._values = np.full((len(task.relevance.queries), len(wanted) + 1), np.nan)
        self._seen = 0

    def add(self, ranked: Ranked) -> None:
        """Add a batch of ranked queries.

        The column of a metric of `outside` has the place of each query in the order of ranking.
        """
        tied = ranked.groups.tied_pairs()
        seen = self._seen + len(ranked.rows)
        place = torch.arange(self._seen, seen, dtype=tied.dtype, device=tied.device)
        columns = [place if one.compute is None else one.compute(ranked) for one in self._wanted]
        self._values[ranked.rows.numpy()] = torch.stack([*columns, tied], dim=1).cpu().numpy()
        self._seen = seen
        if self._outside is not None:
            self._outside.keep(ranked)

    def evaluation(self) -> Evaluation:
        """All results, once every query with a relevant photo was added.

        Raises `PluginFault` if no metric is left.
        """
        relevant, tied = self._task.relevance, self._values[:, -1]
        values, wanted, faults = _completed(self._values[:, :-1], self._wanted, self._outside)
        per_class = [_class_means(column, relevant) for column in values.T]
        ranking = _Ranking(wanted, values, relevant, self._bootstrap, self._seed)
        return Evaluation(
            scores=ranking.scores(relevant.counts > 0),
            per_query={one.name: column for one, column in zip(wanted, values.T, strict=True)},
            per_class={one.name: means for one, means in zip(wanted, per_class, strict=True)},
            definitions={one.name: one.definition for one in wanted},
            skipped=np.flatnonzero(relevant.counts == 0),
            similarity=self._similarity,
            photos=self._task.n_photos,
            groups={name: ranking.scores(mask) for name, mask in self._groups.items()},
            group_sizes={name: int(mask.sum()) for name, mask in self._groups.items()},
            tied_share=_tied_share(tied, self._task),
            faults=faults,
        )


def _scored(groups: Mapping[str, QueryMask], relevant: Relevance) -> dict[str, QueryMask]:
    """The queries of each group with a relevant photo; groups without any are dropped."""
    masks = {}
    for name, mask in groups.items():
        if np.shape(mask) != relevant.queries.shape or np.asarray(mask).dtype != np.bool_:
            raise InvalidInput(
                f"group {name!r} has shape {np.shape(mask)} and dtype {np.asarray(mask).dtype}; "
                f"allowed: ({len(relevant.queries)},) truth values, one for each query"
            )
        masks[name] = np.asarray(mask) & (relevant.counts > 0)
    return {name: mask for name, mask in masks.items() if mask.any()}


@dataclass(frozen=True)
class _Ranking:
    """Values [Q, M] of the requested metrics, with what is needed to summarise them."""

    wanted: Sequence[Metric]
    values: FloatArray
    relevant: Relevance
    bootstrap: int
    seed: int

    def scores(self, mask: QueryMask) -> dict[str, Score]:
        """Scores over the masked queries, all of which have a relevant photo."""
        values, counts = self.values[mask], self.relevant.counts[mask]
        relevant = replace(self.relevant, queries=self.relevant.queries[mask])
        intervals = mean_intervals(values, self.bootstrap, self.seed)
        return {
            one.name: Score(
                **asdict(interval),
                ceiling=_ceiling(one, counts),
                macro=float(np.mean(list(_class_means(column, relevant).values()))),
                queries=len(values),
            )
            for one, interval, column in zip(self.wanted, intervals, values.T, strict=True)
        }


def _completed(
    values: FloatArray, wanted: Sequence[Metric], outside: OutsideMetrics | None
) -> tuple[FloatArray, list[Metric], dict[str, str]]:
    """The values with those of the metrics of `outside`, the metrics left, and errors by name.

    Raises `PluginFault` if no metric is left.
    """
    faults: dict[str, str] = {}
    for column, one in enumerate(wanted):
        if one.compute is not None:
            continue
        if outside is None:
            raise RuntimeError(f"metric {one.name!r} has no implementation")
        ranked = ~np.isnan(values[:, column])
        try:
            found = outside.values(one)
        except PluginFault as fault:
            faults[one.name] = str(fault)
            continue
        values[ranked, column] = found[values[ranked, column].astype(np.int64)]
    kept = [place for place, one in enumerate(wanted) if one.name not in faults]
    if not kept:
        raise PluginFault("; ".join(faults.values()))
    return values[:, kept], [wanted[place] for place in kept], faults


def _tied_share(tied: FloatArray, task: RankingTask) -> float:
    counts = task.relevance.counts
    pairs = float((counts * (task.n_photos - counts)).sum())
    differing = np.nansum(tied - task.equal_pairs())
    return float(differing) / pairs if pairs else 0.0


def _class_means(values: FloatArray, relevant: Relevance) -> dict[Label, float]:
    kept = ~np.isnan(values)
    numbers = relevant.queries[kept]
    sizes = np.bincount(numbers, minlength=len(relevant.names))
    sums = np.bincount(numbers, weights=values[kept], minlength=len(relevant.names))
    return {relevant.names[at]: float(sums[at] / sizes[at]) for at in np.flatnonzero(sizes)}


def _ceiling(one: Metric, counts: IntArray) -> float | None:
    if one.ceiling_at is None:
        return None
    return float(np.minimum(1, counts / one.ceiling_at).mean())
