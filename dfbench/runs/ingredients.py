"""What a plan needs before its fit: networks from the cache, images and pairs by declared need."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import ImageArray, joined
from dfbench.errors import InvalidInput, PluginFault
from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Need
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session
from dfbench.process.launch import call
from dfbench.process.messages import Lesson
from dfbench.process.shared_arrays import MakeArray
from dfbench.process.supervision import Supervision
from dfbench.system.files import check_writable
from dfbench.teachers.identities import Supply, supplies_of

if TYPE_CHECKING:
    from dfbench.teachers.store import StoredNetwork


def supplied_arrays(plan: Plan) -> dict[str, MakeArray]:
    """The images that the row of a plan declared, for `shared_arrays`; none if it declared none."""
    arrays: dict[str, MakeArray] = {}
    for modality in MODALITIES:
        if plan.needs(Need.ALTERNATIVE_DATA):
            arrays[f"alternative-{modality}"] = partial(_unlabelled, plan, modality)
        if plan.needs(Need.TRAINING_DATA):
            arrays[f"training-{modality}"] = partial(_training_images, plan, modality)
            arrays[f"training-labels-{modality}"] = partial(_training_labels, plan, modality)
    return arrays


def source_pairs(plan: Plan, run: Callable[[Plan], object]) -> Path | None:
    """The file of pairs that a plan's source left; None for a plan without one.

    Where the file is missing `run` has to do that run, whether or not its record is there. Raises
    `PluginFault` if it leaves no pairs.
    """
    if plan.source is None:
        return None
    file = plan.source.pairs_file
    if not file.is_file():
        run(plan.source)
    if not file.is_file():
        maker = plan.source.method
        raise PluginFault(
            f"method {maker.label!r} of plugin {maker.plugin!r} left no pairs, "
            f"which {plan.method.label!r} needs; let its fit() call setting.artefacts.save_pairs()"
        )
    return file.resolve()


def _unlabelled(plan: Plan, modality: Modality) -> ImageArray:
    """Alternative images in an order that says nothing of their classes."""
    images = plan.session.alternative.images(modality).images
    seed = derive_seed("alternative image order", plan.computation, modality)
    return joined([(images, np.random.default_rng(seed).permutation(len(images)))])


def _training_images(plan: Plan, modality: Modality) -> ImageArray:
    return plan.session.training_images(modality).images


def _training_labels(plan: Plan, modality: Modality) -> NDArray[np.int64]:
    """Labels of a teacher's images as indices into the classes that either teacher knows."""
    session = plan.session
    known = {m: session.training_images(m).classes for m in MODALITIES}
    union = sorted({*known["photo"], *known["sketch"]})
    index = np.array([union.index(name) for name in known[modality]], dtype=np.int64)
    return index[session.training_images(modality).labels]


def ensure_networks(
    plan: Plan, supervision: Supervision | None = None, names: Collection[str] | None = None
) -> dict[str, StoredNetwork]:
    """The teachers of a plan, and what is trained or measured for its needs, from the cache.

    With `names`, only these of `plan.networks`. What is missing is made in another process; what a
    third one is making is waited for. The limit of time is not applied: it is the fit's. Raises
    `InvalidInput` if the data changed since the plan was made, and what
    `dfbench.process.launch.call` raises.
    """
    wanted = plan.networks if names is None else {name: plan.networks[name] for name in names}
    supplies = tuple(s for s in supplies_of(plan.method.needs) if s.value in wanted)
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
    watched = (supervision or Supervision()).untimed
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


def _stored(session: Session, wanted: Mapping[str, str]) -> dict[str, StoredNetwork]:
    """What of the networks the cache holds whole, by name."""
    stored = session.teachers.stored
    networks = {name: stored(identity) for name, identity in wanted.items()}
    return {name: network for name, network in networks.items() if network is not None}
