"""Variants of CrossX-DFL for ablations, each defined by its changes to the default settings."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import torch
from torch import Tensor

from dfbench.method import Need, ScenarioKind, Setting
from dfbench_baselines.crossx_config import CrossXConfig

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "zero-step": {"rounds": 0},
    # Losses of the estimators.
    "no-semantic": {"one_hot": 0.0, "entropy": 0.0, "activation": 0.0},
    "no-one-hot": {"one_hot": 0.0},
    "no-entropy": {"entropy": 0.0},
    "entropy-balance": {"balance": "entropy"},
    "no-activation": {"activation": 0.0},
    "no-modality": {"modality": 0.0},
    "no-adversarial": {"adversary": 0.0},
    "bn": {"batch_norm": 3.0},
    # Alignment, with the images of one noise as positives (as drawn in the paper), and with
    # positives chosen by the teachers' posteriors (the default).
    "noise-pairs": {"pair_targets": "noise"},
    "no-alignment": {"alignment": 0.0, "pair_targets": "noise"},
    "no-alignment-masked": {"alignment": 0.0, "pair_targets": "agreeing"},
    "no-alignment-soft": {"alignment": 0.0},
    # Losses of the students.
    "queue-only": {"proxy_weight": 0.0},
    "proxy-only": {"queue_weight": 0.0},
    "hard-pairs": {"pair_targets": "hard"},
    # Inputs and players of the game.
    "modality-leaky": {"modality_images": "training"},
    "unified-teacher": {"teachers": "unified"},
    "random-init": {"encoder_init": "random"},
    "conditional": {"estimators": "conditional", "entropy": 0.0, "alignment": 0.0},
    "no-pool": {"pool_batches": 1},
    "released": {
        "manner": "released",
        "modality_images": "training",
        "encoder_init": "random",
        "rounds": 30,
        "balance": "entropy",
        "one_hot": 3.0,
        "alignment": 1.0,
        "modality": 1.0,
        "adversary": 1.0,
    },
}


def needs(config: CrossXConfig) -> frozenset[Need]:
    """Inputs of a configuration beyond two teachers."""
    used: set[Need] = set()
    if config.teachers == "unified":
        used.add(Need.UNIFIED_TEACHER)
    if config.modality and config.rounds:
        leaky = config.modality_images == "training"
        used.add(Need.LEAKY_MODALITY_CLASSIFIER if leaky else Need.MODALITY_CLASSIFIER)
    return frozenset(used)


def cannot(config: CrossXConfig, scenario: ScenarioKind) -> str | None:
    """The reason why a configuration cannot run in a setting; None if it can."""
    if scenario != "overlap":
        return None
    if config.teachers == "unified":
        return "one teacher of both modalities learns photos and sketches of the same classes"
    if config.manner == "released":
        return "the released alignment compares the logits of teachers of the same classes"
    return None


def modality_judge(setting: Setting, config: CrossXConfig) -> torch.nn.Module | None:
    """The classifier for modality guidance; None without guidance."""
    if not config.modality:
        return None
    if config.modality_images == "training":
        return setting.leaky_modality_classifier
    return setting.modality_classifier


def under_unified_teacher(setting: Setting) -> Setting:
    """The same setting with one teacher for both modalities."""
    own = copy(setting)
    own.photo_teacher = setting.unified_teacher("photo")
    own.sketch_teacher = setting.unified_teacher("sketch")
    return own


def noise_pair_targets(p: Tensor, q: Tensor) -> Tensor:
    """`[B, N]`: the partner generated from the same noise is the only positive, whatever its class.

    Candidates are the batch's partners in its order, then the queue.
    """
    return torch.eye(len(p), len(q), dtype=p.dtype, device=p.device)


def agreeing_pair_targets(p: Tensor, q: Tensor) -> Tensor:
    """`[B, N]`: as `noise_pair_targets`, and no positive where the teachers disagree on a pair."""
    agree = p.argmax(dim=1) == q[: len(p)].argmax(dim=1)
    return noise_pair_targets(p, q) * agree.unsqueeze(1)
