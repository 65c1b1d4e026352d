"""All built-in rows, quick, and everything they may declare, made of the toy images."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import torch
from dfbench_baselines import dfbench_methods
from torch import Tensor
from toy import CLASSES, toy_images, toy_teacher

from dfbench.datasets.dataset import ImageSet
from dfbench.learning.pool import PairPool
from dfbench.method import Method, Need
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import ByKnowledge, ModalityNet
from dfbench.plugins.host import load_target
from dfbench.teachers.activations import ActivationRecords, record_activations

QUICK = {
    "rounds": 2,
    "estimator_steps": 4,
    "estimator_batch": 8,
    "estimator_width": 8,
    "image_batch": 4,
    "image_steps": 1,
    "reestimation_batches": 1,
}
"""Settings that only say how images are made."""
_QUICK_OF = {"unimodal-distillation": {"warm_up": 2}}
"""More of them, of one method."""


def _rows() -> Iterator[tuple[str, type[Method], dict[str, Any]]]:
    for spec in dfbench_methods():
        method: type[Method] = load_target(spec.target)
        yield spec.name, method, {}
        for variant, changes in method.variants.items():
            yield f"{spec.name}[{variant}]", method, dict(changes)


ROWS = {label: (method, changes) for label, method, changes in _rows()}


def quick(label: str) -> Method:
    """The method of a row that makes images in a moment."""
    method, changes = ROWS[label]
    known = {name: value for name, value in QUICK.items() if name in method.Config.model_fields}
    known |= _QUICK_OF.get(method.name, {})
    return method(method.Config.model_validate({**known, **changes}))


@cache
def supplies(
    photo: tuple[str, ...] = CLASSES, sketch: tuple[str, ...] = CLASSES
) -> dict[Need, Any]:
    """Everything a row may declare, under teachers of these classes."""
    known: dict[Modality, tuple[str, ...]] = {"photo": photo, "sketch": sketch}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        judge = ModalityNet().requires_grad_(False).eval()
    images = {m: toy_images(m, 60, seed=1)[0] for m in MODALITIES}
    return {
        Need.MODALITY_CLASSIFIER: judge,
        Need.LEAKY_MODALITY_CLASSIFIER: judge,
        Need.UNIFIED_TEACHER: {m: toy_teacher(m) for m in MODALITIES},
        Need.INITIAL_CLASSIFIER: {m: toy_teacher(m) for m in MODALITIES},
        Need.ACTIVATION_RECORDS: {m: _records(m, known[m]) for m in MODALITIES},
        Need.ALTERNATIVE_DATA: images,
        Need.KNOWN_CLASS_ORACLE: ByKnowledge,
        Need.TRAINING_DATA: {
            m: _known(m, known[m], tuple(sorted({*photo, *sketch}))) for m in MODALITIES
        },
        Need.GENERATED_PAIRS: PairPool.of(images["photo"], images["sketch"]),
    }


def supplies_on(device: torch.device) -> dict[Need, Any]:
    """The supplies as a fit on a device gets them: all but images lie there."""
    given = deepcopy(supplies())
    for need in (Need.MODALITY_CLASSIFIER, Need.LEAKY_MODALITY_CLASSIFIER, Need.GENERATED_PAIRS):
        given[need].to(device)
    for need in (Need.UNIFIED_TEACHER, Need.INITIAL_CLASSIFIER, Need.ACTIVATION_RECORDS):
        given[need] = {modality: one.to(device) for modality, one in given[need].items()}
    return given


def _known(
    modality: Modality, classes: tuple[str, ...], numbered: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Images of some classes, and their labels as indices into others."""
    images, labels = toy_images(modality, 60, seed=1)
    rows = torch.tensor([CLASSES[label] in classes for label in labels.tolist()])
    names = [CLASSES[label] for label in labels[rows].tolist()]
    return images[rows], torch.tensor([numbered.index(name) for name in names])


def _records(modality: Modality, classes: tuple[str, ...]) -> ActivationRecords:
    images, labels = _known(modality, classes, classes)
    names = tuple(map(str, range(len(images))))
    data = ImageSet(images.numpy(), labels.numpy(), classes, names)
    network = toy_teacher(modality, classes).network
    return record_activations(network, data, torch.device("cpu"))
