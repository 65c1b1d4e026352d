"""Several models on the same queries and photos: the scores of each, and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfbench.errors import DfbenchError, InvalidInput, unknown_name
from dfbench.evaluation.bootstrap import mean_intervals
from dfbench.evaluation.definitions import DEFAULT_METRICS, Metric
from dfbench.evaluation.embedding_files import LabelledEmbeddings, read_embeddings
from dfbench.evaluation.harness import Evaluation, OutsideMetrics, evaluate

if TYPE_CHECKING:
    from dfbench.evaluation.ranking.inputs import Array
    from dfbench.evaluation.ranking.labels import Labels


@dataclass(frozen=True)
class ModelDifference:
    """The mean of a metric of one model minus that of another, over the queries that both rank."""

    model: str
    minus: str
    metric: str
    value: float
    low: float | None
    """Lower end of the 95 % paired bootstrap interval over queries; None without a bootstrap."""
    high: float | None
    """Upper end."""

    @property
    def verdict(self) -> str:
        """`better` or `worse` if the interval excludes 0, otherwise `not distinguishable`."""
        if self.low is None or self.high is None:
            return "no verdict: no interval"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not distinguishable"


@dataclass(frozen=True)
class ModelEvaluations:
    """The results of several models."""

    models: dict[str, Evaluation]
    differences: tuple[ModelDifference, ...]
    """Metric by metric, the differences of all pairs, or of every other model and the baseline."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Errors of metrics of plugins, each once."""
        return tuple(dict.fromkeys(f for one in self.models.values() for f in one.faults.values()))


@dataclass(frozen=True)
class Models:
    """Embeddings of the same queries and photos by several models."""

    queries: dict[str, Array]
    gallery: dict[str, Array]
    query_labels: Labels
    gallery_labels: Labels


def evaluate_models(
    queries: Mapping[str, Array],
    gallery: Mapping[str, Array] | Array,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    baseline: str | None = None,
    similarity: str = "cosine",
    metrics: Sequence[str | Metric] | str = DEFAULT_METRICS,
    device: str = "cpu",
    bootstrap: int = 1000,
    seed: int = 0,
    outside: Callable[[], AbstractContextManager[OutsideMetrics]] | None = None,
) -> ModelEvaluations:
    """Evaluate several models and compare them in pairs, query by query.

    `queries` and `gallery` are embeddings by name of the model, [Q, D] and [G, D], in the order of
    the labels for all models; D may differ between models. A single gallery serves all. Differences
    are the first-named model minus the second, of all pairs, or with a `baseline` each other model
    minus it. Their intervals are over queries: they tell whether these embeddings differ, not
    whether models that are trained anew would. The other arguments are those of `evaluate`; that
    of `outside` is made for each model. Raises
    `InvalidInput` or `UnknownName`, with the name of the model, for invalid inputs.
    """
    galleries = gallery if isinstance(gallery, Mapping) else dict.fromkeys(queries, gallery)
    _check_names(queries, galleries, baseline)
    found = {}
    for name in queries:
        try:
            with nullcontext() if outside is None else outside() as metrics_outside:
                found[name] = evaluate(
                    queries[name],
                    galleries[name],
                    query_labels,
                    gallery_labels,
                    similarity=similarity,
                    metrics=metrics,
                    device=device,
                    bootstrap=bootstrap,
                    seed=seed,
                    outside=metrics_outside,
                )
        except DfbenchError as fault:
            raise type(fault)(
                f"model {name!r}: {fault}" if len(queries) > 1 else str(fault)
            ) from fault
    return ModelEvaluations(found, tuple(_differences(found, baseline, bootstrap, seed)))


def _check_names(
    queries: Mapping[str, Array], gallery: Mapping[str, Array], baseline: str | None
) -> None:
    if not queries or queries.keys() != gallery.keys():
        raise InvalidInput(
            f"models of queries are {', '.join(map(repr, queries)) or 'none'} and of the"
            f" gallery {', '.join(map(repr, gallery)) or 'none'}; allowed: the same names, or one"
            " gallery for all; name each model on both sides"
        )
    if baseline is not None and baseline not in queries:
        raise unknown_name("baseline", baseline, queries, "the names of the models")


def _differences(
    models: Mapping[str, Evaluation], baseline: str | None, bootstrap: int, seed: int
) -> Iterator[ModelDifference]:
    pairs = [
        pair if baseline is None or pair[1] == baseline else pair[::-1]
        for pair in combinations(models, 2)
        if baseline is None or baseline in pair
    ]
    if not pairs:
        return
    scored = [one.scores for one in models.values()]
    names = [name for name in scored[0] if all(name in scores for scores in scored)]
    wanted = [(metric, *pair) for metric in names for pair in pairs]
    columns = [models[a].per_query[m] - models[b].per_query[m] for m, a, b in wanted]
    values = np.stack(columns, axis=1)
    intervals = mean_intervals(values[~np.isnan(values).any(axis=1)], bootstrap, seed)
    for (metric, model, minus), one in zip(wanted, intervals, strict=True):
        yield ModelDifference(model, minus, metric, one.value, one.low, one.high)


def read_models(
    queries: Mapping[str, Path | str],
    gallery: Mapping[str, Path | str],
    query_labels: Path | str | None = None,
    gallery_labels: Path | str | None = None,
) -> Models:
    """Open the files of several models; `gallery` names the same models.

    Files of labels are those of `read_embeddings` and serve all models. Raises `InvalidInput` for
    unusable files and for models whose labels differ.
    """
    sides = (queries, query_labels, "queries"), (gallery, gallery_labels, "gallery")
    (first, labels), (second, photo_labels) = (_read_side(*side) for side in sides)
    return Models(first, second, labels, photo_labels)


def _read_side(
    files: Mapping[str, Path | str], labels: Path | str | None, side: str
) -> tuple[dict[str, Array], Array]:
    read = {name: read_embeddings(file, labels) for name, file in files.items()}
    first = next(iter(read))
    for name, other in read.items():
        _check_same(side, (first, read[first]), (name, other))
    return {name: one.embeddings for name, one in read.items()}, read[first].labels


def _check_same(
    side: str, first: tuple[str, LabelledEmbeddings], other: tuple[str, LabelledEmbeddings]
) -> None:
    """Raise `InvalidInput` unless two models have the labels of a side in one order."""
    ours, theirs = (np.asarray(one.labels) for _, one in (first, other))
    if np.array_equal(ours, theirs):
        return
    if ours.shape != theirs.shape:
        difference = f"{ours.shape} and {theirs.shape} labels"
    else:
        place = int(np.flatnonzero(ours != theirs)[0])
        difference = f"label {place} is {ours[place]!s:.40} and {theirs[place]!s:.40}"
    raise InvalidInput(
        f"models {first[0]!r} and {other[0]!r} have different {side} ({difference}); allowed: the"
        " same images in the same order; export them in one order, or give one file of labels for"
        " all"
    )
