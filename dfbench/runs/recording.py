"""Building a record from the results of a run."""

from __future__ import annotations

from collections.abc import Mapping

from dfbench.datasets.dataset import ImageSet
from dfbench.evaluation import Score
from dfbench.modality import MODALITIES, Modality
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session
from dfbench.process.messages import FitFacts
from dfbench.records.environment import read_environment
from dfbench.records.record import (
    DataRecord,
    Digests,
    Division,
    MetricDefinition,
    OfficialNetwork,
    PluginNetwork,
    QueryGroup,
    Record,
    RecordedScore,
    Seconds,
    SupplyRecord,
    TeacherRecord,
    metrics_digest,
)
from dfbench.runs.ingredients import Ingredients, external_accuracies
from dfbench.runs.ranking import Ranking, chance_levels
from dfbench.teachers.facts import weights_hash
from dfbench.teachers.store import StoredNetwork


def make_record(
    plan: Plan,
    ingredients: Ingredients,
    images: Mapping[Modality, ImageSet],
    facts: FitFacts,
    rankings: dict[str, Ranking],
    rank_seconds: float,
    attempts: int,
) -> Record:
    """The record of a run; the representation with the empty name is the headline."""
    session = plan.session
    headline = rankings[""].evaluation
    metrics = recorded_scores(headline.scores)
    accuracies = external_accuracies(session)
    chance = chance_levels(images["sketch"], images["photo"], session.division)
    return Record(
        fit_id=plan.fit_id,
        eval_id=plan.eval_id,
        method=plan.method,
        data=_data(plan, images),
        scenario=plan.scenario,
        seed=session.request.seed,
        numerics=session.numerics,
        budget=session.budget,
        recipe=session.recipe.recorded,
        teachers={m: _teacher(session, m, ingredients.teachers[m], accuracies) for m in MODALITIES},
        plugin_networks={
            one.name: PluginNetwork(
                plugin=one.plugin, plugin_version=one.plugin_version, version=one.version
            )
            for one in session.plugin_networks
        },
        supplies={
            name: SupplyRecord(
                identity=network.facts.identity,
                accuracy=dict(network.facts.accuracies),
                official=_official(session, network),
            )
            for name, network in ingredients.supplies.items()
        },
        train_teachers=session.request.train_teachers,
        metrics=metrics,
        representations={
            name: recorded_scores(r.evaluation.scores) for name, r in rankings.items() if name
        },
        definitions={
            name: MetricDefinition(formula=definition.formula, version=definition.version)
            for name, definition in headline.definitions.items()
        },
        chance=chance[""],
        division=_division(plan),
        groups={
            name: _group(name, queries, chance[name], rankings)
            for name, queries in headline.group_sizes.items()
        },
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
        environment=read_environment(str(session.device), session.threads).model_copy(
            update={"micro_batch": facts.micro_batch, "devices": facts.devices}
        ),
    )


def _data(plan: Plan, images: Mapping[Modality, ImageSet]) -> DataRecord:
    session, dataset = plan.session, plan.session.dataset
    return DataRecord(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        classes=images["sketch"].classes,
        image_size=dataset.image_size,
        queries=len(images["sketch"]),
        gallery=len(images["photo"]),
        alternative=session.alternative_name,
        notes=dataset.notes,
    )


def _teacher(
    session: Session,
    modality: Modality,
    network: StoredNetwork,
    external: Mapping[Modality, float],
) -> TeacherRecord:
    facts = network.facts
    accuracy = external.get(modality, facts.accuracy)
    if accuracy is None:
        raise ValueError("a stored teacher has an accuracy")
    return TeacherRecord(
        identity=facts.identity,
        accuracy=accuracy,
        classes=len(facts.classes),
        external=f"{facts.network} at {facts.image_size} px" if external else None,
        official=_official(session, network),
        weights=weights_hash(network.path),
    )


def _official(session: Session, network: StoredNetwork) -> OfficialNetwork | None:
    facts = network.facts
    if facts.identity not in session.official:
        return None
    return OfficialNetwork(checksum=network.checksum, provenance=dict(facts.provenance))


def _division(plan: Plan) -> Division | None:
    division = plan.session.division
    if division is None:
        return None
    return Division(
        overlap=division.overlap,
        shared=division.shared,
        photo_only=division.photo_only,
        sketch_only=division.sketch_only,
        unseen=division.unseen,
    )


def _group(name: str, queries: int, chance: float, rankings: Mapping[str, Ranking]) -> QueryGroup:
    scores = {
        representation: recorded_scores(ranking.evaluation.groups[name])
        for representation, ranking in rankings.items()
    }
    return QueryGroup(
        queries=queries, chance=chance, metrics=scores.pop(""), representations=scores
    )


def recorded_scores(scores: Mapping[str, Score]) -> dict[str, RecordedScore]:
    """The scores of a representation as a record holds them."""
    return {
        name: RecordedScore(
            value=score.value,
            low=score.value if score.low is None else score.low,
            high=score.value if score.high is None else score.high,
            macro=score.macro,
            ceiling=score.ceiling,
        )
        for name, score in scores.items()
    }
