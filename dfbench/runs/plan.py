"""From a request to plans: data opened, teachers named, identities computed, nothing trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dfbench.datasets.dataset import MODALITIES
from dfbench.errors import InvalidInput
from dfbench.evaluation import METRIC_VERSION
from dfbench.identity import identify
from dfbench.method import Need
from dfbench.runs.child import describe
from dfbench.runs.job import Question
from dfbench.runs.request import RunRequest
from dfbench.runs.row import Row
from dfbench.runs.session import FALLBACK, Session, open_session
from dfbench.runs.settings import split_settings

FIT_VERSION = 1
"""Raised when the core may fit the same plan differently."""
SUPPORTED_NEEDS = frozenset({Need.MODALITY_CLASSIFIER, Need.ALTERNATIVE_DATA, Need.TRAINING_DATA})
"""Needs that runs can supply."""


@dataclass(frozen=True)
class Plan:
    """One run, ready to be looked up or executed."""

    session: Session
    row: Row

    scenario = "closed"
    """All classes are known to both teachers, and queried."""

    def needs(self, need: Need) -> bool:
        """Whether the row declared this need."""
        return need.value in self.row.needs

    @cached_property
    def fit_id(self) -> str:
        """Identity of the fit: everything that decides the encoders."""
        session, row = self.session, self.row
        supplies: dict[str, str] = {}
        if self.needs(Need.MODALITY_CLASSIFIER):
            supplies["modality classifier"] = session.teachers.modality_classifier_id
        if self.needs(Need.ALTERNATIVE_DATA):
            supplies["alternative data"] = session.alternative.fingerprint
        content: dict[str, Any] = {
            "method": row.name,
            "method version": row.version,
            "config": row.config,
            "budget": session.budget.model_dump(mode="json"),
            "dataset": session.dataset.fingerprint,
            "scenario": self.scenario,
            "teachers": {m: session.teachers.teacher_id(m) for m in MODALITIES},
            "supplies": supplies,
            "seed": session.request.seed,
            "numerics": session.numerics,
        }
        return identify("fit", FIT_VERSION, content)

    @cached_property
    def eval_id(self) -> str:
        """Identity of the record: the fit and the version of the metrics."""
        return identify("evaluation", METRIC_VERSION, {"fit": self.fit_id})


def plan_rows(request: RunRequest, *, beside: bool) -> list[Plan]:
    """The requested row last, preceded, with `beside`, by those its plugin wants beside it.

    Plugins are asked in a process of their own, before any data is read.
    """
    kinds = [request.data.kind, FALLBACK.kind]
    if request.data.alternative is not None:
        kinds.append(request.data.alternative.partition(":")[0])
    question = Question(
        label=request.method,
        settings=split_settings(request.settings)[""],
        beside=beside,
        datasets=tuple(kinds),
        plugins=request.plugins,
    )
    answer = describe(question)
    for row in answer.rows:
        _check_needs(row)
    session = open_session(request, {offer.name: offer for offer in answer.datasets})
    return [Plan(session, row) for row in answer.rows]


def _check_needs(row: Row) -> None:
    missing = set(row.needs) - SUPPORTED_NEEDS
    if missing:
        raise InvalidInput(
            f"method {row.label!r} needs {', '.join(sorted(missing))}; "
            f"this version can supply: {', '.join(sorted(SUPPORTED_NEEDS))}"
        )
