"""Images and pairs beyond the two teachers, for the methods that declared them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.datasets.image_array import ImageArray, joined
from dfbench.errors import PluginFault
from dfbench.need import Need
from dfbench.runs.plan import Plan
from dfbench.runs.shared_arrays import MakeArray
from dfbench.seeds import derive_seed


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
        raise PluginFault(
            f"method {plan.source.row.label!r} of plugin {plan.source.row.plugin!r} left no pairs, "
            f"which {plan.row.label!r} needs; let its fit() call setting.artefacts.save_pairs()"
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
