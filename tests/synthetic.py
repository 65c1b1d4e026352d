"""Records that no run made."""

from __future__ import annotations

from typing import Any

from dfbench.budget import Budget
from dfbench.identity import identify
from dfbench.plugins.info import MethodInfo, RerankerInfo, parse_label
from dfbench.records.record import (
    DataRecord,
    Digests,
    Environment,
    MetricDefinition,
    Record,
    RecordedScore,
    Reranking,
    Seconds,
    TeacherRecord,
    metrics_digest,
)
from dfbench.teachers.recipe import TeacherRecipe

METRICS = ("map@all", "prec@200", "acc@1")
UNTRAINED = (
    "averaging-weights",
    "classifier-only",
    "classifier-posterior",
    "joint-posterior",
    "open-posterior",
)
"""Methods whose synthetic records say by default that nothing was trained."""


def synthetic_record(
    label: str = "crossx",
    *,
    dataset: str = "sketchy",
    fingerprint: str = "f1",
    image_size: int = 32,
    seed: int = 0,
    value: float = 0.5,
    posterior: float | None = None,
    ceiling: float | None = None,
    config: dict[str, Any] | None = None,
    budget: Budget | None = None,
    needs: tuple[str, ...] = (),
    pairs_of: str | None = None,
    version: int = 1,
    scenario: str = "closed",
    teacher: str = "t",
    photo_accuracy: float = 0.9,
    weights: str | None = None,
    trains: bool | None = None,
) -> Record:
    """A record in which every metric has one value."""
    name, variant = parse_label(label)
    scores = {
        metric: RecordedScore(
            value=value,
            low=value,
            high=value,
            macro=value,
            ceiling=ceiling if metric == "prec@200" else None,
        )
        for metric in METRICS
    }
    representations = {}
    if posterior is not None:
        score = RecordedScore(value=posterior, low=posterior, high=posterior, macro=posterior)
        representations = {"posterior": dict.fromkeys(METRICS, score)}
    budget = budget or Budget()
    content = {
        "row": (label, version, config),
        "data": (dataset, scenario, fingerprint),
        "seed": seed,
        "budget": budget.model_dump(),
    }
    fit = identify("synthetic", 1, content)
    return Record(
        fit_id=fit,
        eval_id=identify("evaluation", 1, {"fit": fit}),
        method=MethodInfo(
            name=name,
            variant=variant,
            title=name.title(),
            version=version,
            plugin="baselines",
            plugin_version="0.1.0",
            config=config or {},
            needs=needs,
            beside=(),
            pairs_of=pairs_of,
            trains=name not in UNTRAINED if trains is None else trains,
        ),
        data=DataRecord(
            name=dataset,
            fingerprint=fingerprint,
            classes=("a", "b"),
            image_size=image_size,
            queries=10,
            gallery=20,
            alternative=None,
            notes=(),
        ),
        scenario=scenario,
        seed=seed,
        numerics="cpu-fp32",
        budget=budget,
        recipe=TeacherRecipe(),
        teachers={
            modality: TeacherRecord(identity=teacher, accuracy=accuracy, classes=2, weights=weights)
            for modality, accuracy in (("photo", photo_accuracy), ("sketch", 0.8 + seed / 100))
        },
        metrics=scores,
        representations=representations,
        definitions={m: MetricDefinition(formula=f"formula of {m}", version=1) for m in METRICS},
        chance=0.1,
        skipped_queries=0,
        digests=Digests(embeddings="e", metrics=metrics_digest(scores)),
        seconds=Seconds(teachers=1, fit=2, embed=3, rank=4),
        peak_memory_mib=100,
        parameters=1000,
        environment=Environment(
            dfbench="0.1.0",
            python="3.11",
            packages={},
            device="a processor",
            threads=1,
            commit=None,
            dirty=None,
        ),
    )


def reranked(record: Record, value: float) -> Record:
    """The record with a re-ranking of which every metric has one value."""
    score = RecordedScore(value=value, low=value, high=value, macro=value)
    info = RerankerInfo(
        name="diffusion",
        title="Diffusion",
        version=1,
        plugin="rerankers",
        plugin_version="1",
        definition="f on a graph",
        config={"k": 20},
        changed={"k": 20},
    )
    added = Reranking(
        identity="r",
        reranker=info,
        metrics=dict.fromkeys(record.metrics, score),
        representations={"posterior": dict.fromkeys(record.metrics, score)},
        seconds=1.0,
        peak_memory_mib=1.0,
    )
    return record.model_copy(update={"reranked": {info.label: added}})
