"""Networks that a plan needs are trained in a process of their own, once for all who need them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dfbench.datasets.dataset import MODALITIES
from dfbench.errors import InvalidInput
from dfbench.files import check_writable
from dfbench.runs.child import call
from dfbench.runs.job import Lesson
from dfbench.runs.numerics import pin_numerics
from dfbench.runs.plan import Plan
from dfbench.runs.session import Session, Sessions
from dfbench.runs.supervision import Supervision
from dfbench.teachers.identities import Supply, supplies_of

if TYPE_CHECKING:
    from dfbench.teachers.store import StoredNetwork


def ensure_networks(
    plan: Plan, supervision: Supervision | None = None, names: Collection[str] | None = None
) -> dict[str, StoredNetwork]:
    """The teachers of a plan, and what is trained or measured for its needs, from the cache.

    With `names`, only these of `plan.networks`. What is missing is made in another process; what a
    third one is making is waited for. The limit of time is not applied: it is the fit's. Raises
    `InvalidInput` if the data changed since the plan was made, and what `dfbench.runs.child.call`
    raises.
    """
    wanted = plan.networks if names is None else {name: plan.networks[name] for name in names}
    supplies = tuple(s for s in supplies_of(plan.row.needs) if s.value in wanted)
    return _ensured(plan.session, wanted, supplies, supervision)


def ensure_teachers(session: Session) -> dict[str, StoredNetwork]:
    """The two teachers of a session alone, by name, from the cache; as `ensure_networks`."""
    wanted = {f"{modality} teacher": session.networks.teacher(modality) for modality in MODALITIES}
    return _ensured(session, wanted, (), None)


def _ensured(
    session: Session,
    wanted: Mapping[str, str],
    supplies: tuple[Supply, ...],
    supervision: Supervision | None,
) -> dict[str, StoredNetwork]:
    found = _stored(session, wanted)
    if len(found) == len(wanted):
        return found
    for name, identity in wanted.items():
        if name not in found:
            check_writable(session.network_file(identity))
    lesson = Lesson(
        request=session.request,
        datasets=dict(session.offers),
        device=session.device,
        modalities=tuple(m for m in MODALITIES if f"{m} teacher" in wanted),
        supplies=supplies,
    )
    watched = replace(supervision or Supervision(), timeout=None)
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        call("teach", lesson, Path(folder), watched)
    found = _stored(session, wanted)
    missing = wanted.keys() - found.keys()
    if missing:
        raise InvalidInput(
            f"dataset {session.dataset.name!r} is no longer what it was when the run was planned "
            f"(no {', '.join(sorted(missing))} for it); repeat the same command"
        )
    return found


def teach(lesson: Lesson) -> None:
    """Make what a lesson names, unless it is in the cache; this process trains."""
    session = Sessions(lesson.datasets, lesson.device).open(lesson.request)
    pin_numerics(session.threads, lesson.request.seed)
    for modality in lesson.modalities:
        session.teachers.teacher(modality)
    for supply in lesson.supplies:
        session.teachers.supply(supply)


def _stored(session: Session, wanted: Mapping[str, str]) -> dict[str, StoredNetwork]:
    """What of the networks the cache holds whole, by name."""
    stored = session.teachers.stored
    networks = {name: stored(identity) for name, identity in wanted.items()}
    return {name: network for name, network in networks.items() if network is not None}
