"""Networks that a plan needs are trained in a process of their own, once for all who need them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from dfbench.datasets.dataset import MODALITIES
from dfbench.errors import InvalidInput
from dfbench.runs.child import call
from dfbench.runs.job import Lesson
from dfbench.runs.numerics import pin_numerics
from dfbench.runs.plan import Plan
from dfbench.runs.session import Sessions
from dfbench.runs.supervision import Supervision
from dfbench.teachers.identities import supplies_of


def ensure_networks(
    plan: Plan, supervision: Supervision | None = None, names: Collection[str] | None = None
) -> None:
    """Have the teachers of a plan, and what is trained or measured for its needs, in the cache.

    With `names`, only these of `plan.networks`. What is missing is made in another process; what a
    third one is making is waited for. The limit of time is not applied: it is the fit's. Raises
    `InvalidInput` if the data changed since the plan was made, and what `dfbench.runs.child.call`
    raises.
    """
    wanted = plan.networks if names is None else {name: plan.networks[name] for name in names}
    if not _missing(plan, wanted):
        return
    session = plan.session
    lesson = Lesson(
        request=session.request,
        datasets=dict(session.offers),
        device=session.device,
        modalities=tuple(m for m in MODALITIES if f"{m} teacher" in wanted),
        supplies=tuple(s for s in supplies_of(plan.row.needs) if s.value in wanted),
    )
    watched = replace(supervision or Supervision(), timeout=None)
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        call("teach", lesson, Path(folder), watched)
    missing = _missing(plan, wanted)
    if missing:
        raise InvalidInput(
            f"dataset {session.dataset.name!r} is no longer what it was when the run was planned "
            f"(no {', '.join(missing)} for it); repeat the same command"
        )


def teach(lesson: Lesson) -> None:
    """Make what a lesson names, unless it is in the cache; this process trains."""
    session = Sessions(lesson.datasets, lesson.device).open(lesson.request)
    pin_numerics(session.threads, lesson.request.seed)
    for modality in lesson.modalities:
        session.teachers.teacher(modality)
    for supply in lesson.supplies:
        session.teachers.supply(supply)


def _missing(plan: Plan, wanted: Mapping[str, str]) -> list[str]:
    """What of the networks is not in the cache, in words."""
    stored = plan.session.teachers.stored
    return [name for name, identity in wanted.items() if stored(identity) is None]
