"""Adding metrics to the records of finished runs, from their stored embeddings, without a fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.evaluation import Evaluation, Score, evaluate
from dfbench.evaluation.definitions import Metric, metric
from dfbench.plugins.metrics import ChosenMetrics, MetricOffer
from dfbench.process.metrics import metrics_apart
from dfbench.records.per_query import per_query_file, write_per_query
from dfbench.records.record import MetricDefinition, Record, RecordedScore, metrics_digest
from dfbench.records.store import run_folder
from dfbench.reporting.run_folders import EmbeddedTest, embedded_test, repeat_command
from dfbench.runs.ranking import embeddings_digest
from dfbench.runs.recording import recorded_scores
from dfbench.scenarios.classes import ScenarioClasses

_CONTROL = "map@all"
"""Computed again to prove that the ranking is the recorded one."""
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rescored:
    """A record with more metrics."""

    record: Record
    added: tuple[str, ...]
    """The metrics that it did not have before."""
    faults: dict[str, str]
    """Errors of metrics of plugins, by name; the record does not have these."""


def rescored(record: Record, runs: Path, chosen: ChosenMetrics) -> Rescored:
    """A record with the chosen metrics, for all representations and query groups.

    Metrics that it has already, in the same version, are not computed again. Nothing is written
    except the per-query values in the run's folder. Raises `MissingRun` if that lacks embeddings,
    and `InvalidInput` if they are not those that were recorded.
    """
    missing = [one for one in chosen.metrics if not _has(record, one)]
    if not missing:
        return Rescored(record, (), {})
    evaluations: dict[str, Evaluation] = {}
    faults: dict[str, str] = {}
    for name in ("", *record.representations):
        wanted = [one for one in missing if one.name not in faults]
        offers = {one.name: chosen.offers[one.name] for one in wanted if one.compute is None}
        evaluations[name] = _evaluated(record, runs, name, wanted, offers)
        faults |= evaluations[name].faults
    added = [one for one in missing if one.name not in faults]
    if added:
        for name, evaluation in evaluations.items():
            _keep_per_query(record, runs, name, evaluation, added)
        record = _with_scores(record, evaluations, added, chosen.offers)
    return Rescored(record, tuple(one.name for one in added), faults)


def _has(record: Record, wanted: Metric) -> bool:
    definition = record.definitions.get(wanted.name)
    return definition is not None and definition.version == wanted.definition.version


def _evaluated(
    record: Record,
    runs: Path,
    representation: str,
    wanted: list[Metric],
    offers: Mapping[str, MetricOffer],
) -> Evaluation:
    test = embedded_test(runs, record, representation)
    if not representation and embeddings_digest(test.embeddings) != record.digests.embeddings:
        raise _changed(record, "its stored embeddings are not those that were recorded")
    try:
        with metrics_apart(offers) as outside:
            evaluation = evaluate(
                test.embeddings["sketch"],
                test.embeddings["photo"],
                test.labels["sketch"],
                test.labels["photo"],
                similarity=test.similarity,
                metrics=[metric(_CONTROL), *wanted],
                seed=record.seed,
                groups=_groups(record, test),
                outside=outside,
            )
    except InvalidInput as fault:
        raise _changed(record, f"its stored embeddings cannot be ranked ({fault})") from fault
    scores = record.representations[representation] if representation else record.metrics
    if not abs(evaluation.scores[_CONTROL].value - scores[_CONTROL].value) <= _TOLERANCE:
        raise _changed(
            record,
            f"its stored embeddings give {_CONTROL} {evaluation.scores[_CONTROL].value:.6f}, the "
            f"record has {scores[_CONTROL].value:.6f}",
        )
    return evaluation


def _changed(record: Record, reason: str) -> InvalidInput:
    return InvalidInput(
        f"run of {record.method.label!r} on {record.data.name}, seed {record.seed}: {reason}; "
        f"repeat it: {repeat_command(record)}"
    )


def _groups(record: Record, test: EmbeddedTest) -> dict[str, NDArray[np.bool_]]:
    """`[Q]`, by recorded query group, which queries belong to it."""
    if record.division is None:
        return {}
    split = record.division
    groups = ScenarioClasses(split.shared, split.photo_only, split.sketch_only, split.unseen).groups
    places = {name: place for place, name in enumerate(record.data.classes)}
    return {
        name: np.isin(test.labels["sketch"], [places[one] for one in classes if one in places])
        for name, classes in groups.items()
        if name in record.groups
    }


def _keep_per_query(
    record: Record, runs: Path, representation: str, evaluation: Evaluation, added: list[Metric]
) -> None:
    """Add the values of each query to those of the run's folder, for paired comparisons."""
    folder = run_folder(runs, record.data.name, record.method.label, record.seed, record.fit_id)
    file = per_query_file(folder, representation)
    values = {one.name: evaluation.per_query[one.name] for one in added}
    if file.is_file():
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            values = {**stored, **values}
    write_per_query(file, values)


def _with_scores(
    record: Record,
    evaluations: Mapping[str, Evaluation],
    added: Iterable[Metric],
    offers: Mapping[str, MetricOffer],
) -> Record:
    names = [one.name for one in added]
    scores = {name: _only(names, one.scores) for name, one in evaluations.items()}
    groups = {
        group: {name: _only(names, one.groups[group]) for name, one in evaluations.items()}
        for group in record.groups
    }
    definitions = {one.name: _definition(one, offers.get(one.name)) for one in added}
    metrics = {**record.metrics, **scores[""]}
    own = {
        name: score
        for name, score in metrics.items()
        if name in definitions or record.definitions[name].added
    }
    content = dict(record) | {
        "metrics": metrics,
        "representations": {
            name: {**before, **scores[name]} for name, before in record.representations.items()
        },
        "definitions": {**record.definitions, **definitions},
        "groups": {
            group: one.model_copy(
                update={
                    "metrics": {**one.metrics, **groups[group][""]},
                    "representations": {
                        name: {**before, **groups[group][name]}
                        for name, before in one.representations.items()
                    },
                }
            )
            for group, one in record.groups.items()
        },
        "digests": record.digests.model_copy(update={"added": metrics_digest(own)}),
    }
    return Record.model_validate(content)


def _only(names: list[str], scores: Mapping[str, Score]) -> dict[str, RecordedScore]:
    return recorded_scores({name: scores[name] for name in names})


def _definition(one: Metric, offer: MetricOffer | None) -> MetricDefinition:
    return MetricDefinition(
        formula=one.definition.formula,
        version=one.definition.version,
        added=True,
        plugin=None if offer is None else offer.plugin,
        plugin_version=None if offer is None else offer.plugin_version,
    )
