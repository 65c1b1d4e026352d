"""The estimator of one modality, and the losses by which its teacher judges generated images.

DAFL (Chen et al., ICCV 2019), DFQ (Choi et al., CVPR-W 2020) and CrossX-DFL (Chaudhuri et al., CVPR
2023) share these losses; they differ in their choice of losses and in their additions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.datasets import Modality
from dfbench.learning import estimation
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.learning.loop import fused
from dfbench.learning.students import Students
from dfbench.method import MethodConfig, Setting
from dfbench.networks import Estimator

_CHANNELS: dict[Modality, int] = {"photo": 3, "sketch": 1}
_BRIGHTNESS: dict[Modality, float] = {"photo": 0.0, "sketch": 2.0}
"""Initial logit of images: mid-grey, and paper with grey level .88."""

Losses = dict[str, Tensor]
"""Weighted losses by name; losses with weight 0 are left out."""
Count = Annotated[int, Field(ge=1, le=10**9)]
Weight = Annotated[float, Field(ge=0)]


class EstimatorConfig(MethodConfig):
    """Settings of estimators; each weight multiplies the loss of that name."""

    estimator_batch: int = Field(default=96, ge=2)
    """Images of a modality per estimator step."""
    estimator_learning_rate: float = Field(default=5e-3, gt=0)
    """Learning rate of Adam."""
    estimator_width: int = Field(default=48, ge=2)
    """Channels of an estimator."""
    latent_dim: Count = 128
    """Dimension of the noise vectors."""
    one_hot: Weight = 1.0
    """Weight of the teacher's certainty."""
    entropy: Weight = 2.17
    """Weight of the balance of classes (nats)."""
    activation: Weight = 0.1
    """Weight of the magnitude of features."""
    batch_norm: Weight = 0.0
    """Weight of matching the teacher's batch-normalisation statistics."""
    adversary: Weight = 0.0
    """Weight of the adversarial term, once students are being trained."""


class Judgement(NamedTuple):
    """A teacher's outputs and losses for generated images of its modality."""

    posterior: Tensor
    """`[B, C]` over the union of classes."""
    features: Tensor
    """`[B, D]`"""
    losses: Losses


def judged(
    setting: Setting,
    config: EstimatorConfig,
    modality: Modality,
    images: Tensor,
    students: Students | None,
    *,
    uncertainty: Callable[[Tensor], Tensor] = estimation.one_hotness,
    imbalance: Callable[[Tensor], Tensor] = estimation.class_imbalance,
) -> Judgement:
    """The teacher's judgement of `images` `[B, 3, H, W]`; `students`, if any, are the adversary.

    `uncertainty` and `imbalance` map its logits to the losses weighted by `one_hot` and `entropy`.
    """
    teacher = setting.teacher(modality)
    match = StatisticsMatch(teacher)
    with match if config.batch_norm else nullcontext():
        logits, features = teacher(images)
    posterior = setting.posterior(modality, logits)
    losses: Losses = {}
    if config.one_hot:
        losses["one_hot"] = config.one_hot * uncertainty(logits)
    if config.entropy:
        losses["entropy"] = config.entropy * imbalance(logits)
    if config.activation:
        losses["activation"] = config.activation * estimation.inactivity(features)
    if config.batch_norm:
        losses["batch_norm"] = config.batch_norm * match.loss()
    if config.adversary and students is not None:
        agreement = estimation.student_agreement(posterior, students.classify(modality, images))
        losses["adversary"] = config.adversary * agreement
    return Judgement(posterior, features, losses)


def new_estimator(
    setting: Setting, config: EstimatorConfig, modality: Modality, input_dim: int
) -> Estimator:
    """An estimator of colour photos, or of grey sketches on paper, from inputs `[B, input_dim]`."""
    return setting.new_module(
        f"{modality} estimator",
        lambda: Estimator(
            input_dim,
            setting.image_size,
            channels=_CHANNELS[modality],
            width=config.estimator_width,
            brightness=_BRIGHTNESS[modality],
        ),
    )


def new_optimiser(config: EstimatorConfig, weights: Iterable[nn.Parameter]) -> torch.optim.Adam:
    """Adam with the momentum usual for generators."""
    weights = list(weights)
    return torch.optim.Adam(
        weights, config.estimator_learning_rate, betas=(0.5, 0.999), fused=fused(weights)
    )


def noise(setting: Setting, config: EstimatorConfig, count: int, draws: torch.Generator) -> Tensor:
    """`[count, latent_dim]` ~ N(0, I)."""
    return torch.randn((count, config.latent_dim), generator=draws, device=setting.device)
