"""The inputs of a fit and its job: networks from the cache, images and pairs by declared need."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dfbench.datasets.alternative import ImageSource
from dfbench.errors import InvalidInput, PluginFault
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Need, supplies_of, supply_identity
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session
from dfbench.process.handover import MakeArray
from dfbench.process.launch import call
from dfbench.process.messages import Job, Lesson
from dfbench.process.supervision import Supervision
from dfbench.request import FitOptions
from dfbench.system.files import check_writable

if TYPE_CHECKING:
    from dfbench.teachers.store import StoredNetwork


@dataclass(frozen=True)
class Ingredients:
    """The trained networks that a fit used."""

    teachers: dict[Modality, StoredNetwork]
    supplies: dict[str, StoredNetwork]

    @property
    def seconds(self) -> float:
        """Wall time of their training, now or earlier."""
        networks = (*self.teachers.values(), *self.supplies.values())
        return sum(network.facts.seconds for network in networks)


def supplied_arrays(plan: Plan) -> dict[str, MakeArray]:
    """The images that a plan's method declared, for `shared_arrays`; none if it declared none."""
    session = plan.session
    source = ImageSource(
        lambda modality: session.alternative.images(modality),
        session.training_images,
        plan.computation,
    )
    return {
        f"{name}-{modality}": partial(make, source, modality)
        for need in map(Need, plan.method.needs)
        for name, make in need.provision.arrays.items()
        for modality in MODALITIES
    }


def _source_pairs(plan: Plan, run: Callable[[Plan], object]) -> Path | None:
    """The file of generated pairs of a plan's source; None for a plan without a source.

    If the file is missing, `run` must execute the source, even if it has a record. Raises
    `PluginFault` if that saves no pairs.
    """
    if plan.source is None:
        return None
    file = plan.source.pairs_file
    if not file.is_file():
        run(plan.source)
    if not file.is_file():
        maker = plan.source.method
        raise PluginFault(
            f"method {maker.label!r} of plugin {maker.plugin!r} saved no pairs, "
            f"which {plan.method.label!r} needs; let its fit() call setting.artefacts.save_pairs()"
        )
    return file.resolve()


def ensure_networks(
    plan: Plan, supervision: Supervision | None = None, names: Collection[str] | None = None
) -> dict[str, StoredNetwork]:
    """The teachers of a plan, and the networks and records of its needs, from the cache.

    With `names`, only these of `plan.networks`. Missing ones are made in another process, or waited
    for if a third process is making them. The time limit applies to the fit only. Raises
    `InvalidInput` if the data changed since the plan was made, and the errors of
    `dfbench.process.launch.call`.
    """
    wanted = plan.networks if names is None else {name: plan.networks[name] for name in names}
    supplies = tuple(name for name in supplies_of(plan.method.needs) if name in wanted)
    return _ensured(plan.session, wanted, supplies, supervision)


def ensure_teachers(
    session: Session, needs: Collection[str] = (), *, again: bool = False
) -> dict[str, StoredNetwork]:
    """The two teachers of a session and the networks of needs, by name; like `ensure_networks`.

    With `again`, they are trained even if they are in the cache.
    """
    networks, supplies = session.networks, supplies_of(needs)
    wanted = {f"{modality} teacher": networks.teacher(modality) for modality in MODALITIES}
    wanted |= {name: supply_identity(networks, name) for name in supplies}
    return _ensured(session, wanted, supplies, None, again=again)


def external_accuracies(session: Session) -> dict[Modality, float]:
    """Accuracy of external teachers on the test images of their classes.

    Measured in another process if their network is a plugin's. Raises the errors of
    `dfbench.process.launch.call`.
    """
    if not session.external or not session.plugin_networks:
        return session.external_accuracies
    lesson = Lesson(
        request=session.request,
        datasets=dict(session.offers),
        networks=session.plugin_networks,
        device=session.device,
        modalities=(),
        supplies=(),
        measured=True,
    )
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        accuracies = call("teach", lesson, Path(folder)).accuracies
    if accuracies is None:
        raise RuntimeError("a lesson that measures teachers has accuracies")
    return accuracies


def _ensured(
    session: Session,
    wanted: Mapping[str, str],
    supplies: tuple[str, ...],
    supervision: Supervision | None,
    *,
    again: bool = False,
) -> dict[str, StoredNetwork]:
    found = {} if again else _stored(session, wanted)
    if len(found) == len(wanted):
        return found
    for name, identity in wanted.items():
        if name not in found:
            check_writable(session.network_file(identity))
    lesson = Lesson(
        request=session.request,
        datasets=dict(session.offers),
        networks=session.plugin_networks,
        device=session.device,
        modalities=tuple(m for m in MODALITIES if f"{m} teacher" in wanted),
        supplies=supplies,
        again=again,
    )
    watched = (supervision or Supervision()).untimed
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        call("teach", lesson, Path(folder), watched)
    found = _stored(session, wanted)
    missing = wanted.keys() - found.keys()
    if missing:
        raise InvalidInput(
            f"dataset {session.dataset.name!r} has changed since the run was planned "
            f"(no {', '.join(sorted(missing))} for it); repeat the same command"
        )
    return found


def _stored(session: Session, wanted: Mapping[str, str]) -> dict[str, StoredNetwork]:
    """The networks that are complete in the cache, by name."""
    stored = session.teachers.stored
    networks = {name: stored(identity) for name, identity in wanted.items()}
    return {name: network for name, network in networks.items() if network is not None}


def ingredients_of(plan: Plan, networks: Mapping[str, StoredNetwork]) -> Ingredients:
    """The networks that a fit uses, from those of its plan by name."""
    return Ingredients(
        teachers={modality: networks[f"{modality} teacher"] for modality in MODALITIES},
        supplies={name: networks[name] for name in supplies_of(plan.method.needs)},
    )


def job_of(
    plan: Plan,
    ingredients: Ingredients,
    arrays: dict[str, Path],
    supervision: Supervision,
    run_source: Callable[[Plan], object],
) -> Job:
    """The job of a plan's fit; `run_source` executes the run whose pairs it needs."""

    def resolved(network: StoredNetwork) -> Path:
        return network.path.resolve()

    session = plan.session
    return Job(
        fit_id=plan.fit_id,
        method=plan.method,
        plugins=session.request.plugins,
        budget=session.budget,
        seed=session.request.seed,
        device=session.device,
        threads=session.threads,
        image_size=session.dataset.image_size,
        checkpoint_seconds=supervision.limits.checkpoint_seconds,
        teachers={
            modality: resolved(network) for modality, network in ingredients.teachers.items()
        },
        supplies={name: resolved(network) for name, network in ingredients.supplies.items()},
        pairs=_source_pairs(plan, run_source),
        networks=session.plugin_networks,
        arrays=arrays,
        scored=bool(session.dataset.classes),
        devices=session.request.devices,
        **session.request.model_dump(include=set(FitOptions.model_fields)),
    )
