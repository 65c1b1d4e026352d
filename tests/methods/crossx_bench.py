"""A setting small enough to play the whole game in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from dfbench_baselines.crossx_config import CrossXConfig
from toy import SIZE, setting_of, untrained_teacher

from dfbench.method import Need, Setting
from dfbench.networks import ModalityNet

CLASSES = ("a", "b", "c")
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
    teachers = (untrained_teacher("photo", photo), untrained_teacher("sketch", sketch))
    unified = untrained_teacher("photo", tuple(sorted({*photo, *sketch})))
    supplies = {
        Need.MODALITY_CLASSIFIER: ModalityNet().requires_grad_(False).eval(),
        Need.LEAKY_MODALITY_CLASSIFIER: ModalityNet().requires_grad_(False).eval(),
        Need.UNIFIED_TEACHER: {"photo": unified, "sketch": unified},
    }
    given = {need: supply for need, supply in supplies.items() if need in needs}
    return setting_of(place, *teachers, given, **budget)
