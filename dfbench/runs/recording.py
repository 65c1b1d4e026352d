"""Putting a record together from what a run produced."""

from __future__ import annotations

from dataclasses import dataclass

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.evaluation import Evaluation
from dfbench.runs.environment import read_environment
from dfbench.runs.job import FitFacts
from dfbench.runs.plan import Plan
from dfbench.runs.ranking import Ranking, chance_level
from dfbench.runs.record import (
    DataRecord,
    Digests,
    MetricDefinition,
    Record,
    Score,
    Seconds,
    SupplyRecord,
    TeacherRecord,
    metrics_digest,
)
from dfbench.teachers.identities import Supply
from dfbench.teachers.store import StoredNetwork


@dataclass(frozen=True)
class Ingredients:
    """The trained networks that a fit was given."""

    teachers: dict[Modality, StoredNetwork]
    supplies: dict[Supply, StoredNetwork]

    @property
    def seconds(self) -> float:
        """Wall time that their training took, now or earlier."""
        networks = (*self.teachers.values(), *self.supplies.values())
        return sum(network.facts.seconds for network in networks)


def make_record(
    plan: Plan,
    ingredients: Ingredients,
    facts: FitFacts,
    rankings: dict[str, Ranking],
    rank_seconds: float,
    attempts: int,
) -> Record:
    """The record of a run; the reading of the empty name is its headline."""
    session = plan.session
    headline = rankings[""].evaluation
    metrics = _scores(headline)
    return Record(
        fit_id=plan.fit_id,
        eval_id=plan.eval_id,
        row=plan.row,
        data=_data(plan),
        scenario=plan.scenario,
        seed=session.request.seed,
        numerics=session.numerics,
        budget=session.budget,
        recipe=session.recipe.recorded,
        teachers={m: _teacher(ingredients.teachers[m]) for m in MODALITIES},
        supplies={
            supply.value: SupplyRecord(
                identity=network.facts.identity, accuracy=dict(network.facts.accuracies)
            )
            for supply, network in ingredients.supplies.items()
        },
        metrics=metrics,
        readings={name: _scores(r.evaluation) for name, r in rankings.items() if name},
        definitions={
            name: MetricDefinition(formula=definition.formula, version=definition.version)
            for name, definition in headline.definitions.items()
        },
        chance=chance_level(
            session.dataset.images("sketch", "test").labels,
            session.dataset.images("photo", "test").labels,
        ),
        skipped_queries=len(headline.skipped),
        digests=Digests(embeddings=rankings[""].digest, metrics=metrics_digest(metrics)),
        seconds=Seconds(
            teachers=round(ingredients.seconds, 1),
            fit=facts.fit_seconds,
            embed=facts.embed_seconds,
            rank=round(rank_seconds, 1),
        ),
        attempts=attempts,
        peak_memory_mib=facts.peak_memory_mib,
        parameters=facts.parameters,
        environment=read_environment(str(session.device), session.threads),
    )


def _data(plan: Plan) -> DataRecord:
    dataset = plan.session.dataset
    return DataRecord(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        image_size=dataset.image_size,
        queries=len(dataset.images("sketch", "test")),
        gallery=len(dataset.images("photo", "test")),
        alternative=plan.session.alternative.source,
        notes=dataset.notes,
    )


def _teacher(network: StoredNetwork) -> TeacherRecord:
    facts = network.facts
    if facts.accuracy is None:
        raise ValueError("a teacher is stored with its accuracy")
    return TeacherRecord(
        identity=facts.identity, accuracy=facts.accuracy, classes=len(facts.classes)
    )


def _scores(evaluation: Evaluation) -> dict[str, Score]:
    return {
        name: Score(
            value=score.value,
            low=score.value if score.low is None else score.low,
            high=score.value if score.high is None else score.high,
            macro=score.macro,
            ceiling=score.ceiling,
        )
        for name, score in evaluation.scores.items()
    }
