"""A setting small enough to play the whole game in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from dfbench_baselines.crossx_config import CrossXConfig

from dfbench.artefacts import Artefacts
from dfbench.budget import Budget
from dfbench.datasets.dataset import Modality
from dfbench.learning.loop import Loops
from dfbench.method import Need, Setting
from dfbench.networks import Classifier, ModalityNet, Normaliser
from dfbench.teachers.teacher import Teacher

CLASSES = ("a", "b", "c")
SIZE = 16
QUICK = {"rounds": 2, "estimator_steps": 4, "estimator_batch": 8, "estimator_width": 8}


def quick(**changes: Any) -> CrossXConfig:
    """A configuration of CrossX-DFL of a few steps."""
    return CrossXConfig.model_validate({**QUICK, **changes})


def images(count: int = 5) -> torch.Tensor:
    """Images of noise in [0, 1]."""
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


def tiny_setting(
    place: Path,
    photo: tuple[str, ...] = CLASSES,
    sketch: tuple[str, ...] = CLASSES,
    *,
    needs: frozenset[Need] = frozenset(Need),
    **budget: object,
) -> Setting:
    """A setting with untrained teachers, given exactly `needs`."""
    torch.manual_seed(0)
    choices = {"steps": 4, "batch_size": 8, "embedding_dim": 16, "queue_size": 20, **budget}
    teachers = {"photo": _teacher("photo", photo), "sketch": _teacher("sketch", sketch)}
    unified = _teacher("photo", tuple(sorted({*photo, *sketch})))
    supplies = {
        Need.MODALITY_CLASSIFIER: ModalityNet().requires_grad_(False).eval(),
        Need.LEAKY_MODALITY_CLASSIFIER: ModalityNet().requires_grad_(False).eval(),
        Need.UNIFIED_TEACHER: {"photo": unified, "sketch": unified},
    }
    return Setting(
        method="crossx",
        budget=Budget.model_validate(choices),
        photo_teacher=teachers["photo"],
        sketch_teacher=teachers["sketch"],
        image_size=SIZE,
        device=torch.device("cpu"),
        seed=0,
        artefacts=Artefacts(place),
        loops=Loops(place / "training"),
        supplies={need: supply for need, supply in supplies.items() if need in needs},
    )


def _teacher(modality: Modality, classes: tuple[str, ...]) -> Teacher:
    normaliser = Normaliser.of(modality)
    return Teacher(modality, classes, Classifier("resnet-tiny", normaliser, len(classes), SIZE))
