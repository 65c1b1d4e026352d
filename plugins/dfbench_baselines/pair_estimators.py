"""Class-aligned, guided, adversarial estimation of photo-sketch pairs (CrossX-DFL's first half)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.datasets.dataset import Modality
from dfbench.learning import estimation
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.pool import Pairs
from dfbench.learning.students import Students
from dfbench.method import MethodConfig, Setting
from dfbench.networks import Estimator

_PAPER_WHITE = 2.0
"""Logit that sketches start from: paper of grey level .88."""

Losses = dict[str, Tensor]


class EstimationConfig(MethodConfig):
    """Settings of the two estimators; a weight multiplies the loss it is named after."""

    estimator_steps: int = Field(default=300, ge=1)
    """Estimator steps in all."""
    estimator_batch: int = Field(default=96, ge=2)
    """Pairs an estimator step makes."""
    estimator_learning_rate: float = Field(default=5e-3, gt=0)
    """Learning rate of Adam."""
    estimator_width: int = Field(default=48, ge=2)
    """Channels of the estimators."""
    latent_dim: int = Field(default=16, ge=1)
    """Width of the noise vector that both estimators share. Both have to learn one partition of
    its space into classes, which takes the fewer steps the narrower it is."""
    one_hot: float = Field(default=1.0, ge=0)
    """Weight of the teachers' certainty."""
    entropy: float = Field(default=5.0, ge=0)
    """Weight of the balance of classes (nats)."""
    activation: float = Field(default=0.1, ge=0)
    """Weight of the size of features."""
    alignment: float = Field(default=5.0, ge=0)
    """Weight of the agreement of both teachers on a pair."""
    modality: float = Field(default=0.3, ge=0)
    """Weight of the modality guidance."""
    adversary: float = Field(default=0.5, ge=0)
    """Weight of the adversarial term, once students have begun to learn."""
    batch_norm: float = Field(default=0.0, ge=0)
    """Weight of matching the teachers' batch-normalisation statistics."""


class Estimate(NamedTuple):
    """What one estimator step made."""

    pairs: Pairs
    p: Tensor
    """`[B, C]`, the photo teacher's posterior."""
    q: Tensor
    """`[B, C]`, the sketch teacher's posterior."""
    losses: Losses
    """Each with its weight."""


class PairEstimators(nn.Module):
    """A photo and a sketch estimator that share one noise vector, and the losses that form them."""

    def __init__(self, setting: Setting, config: EstimationConfig) -> None:
        super().__init__()
        self._setting = setting
        self._config = config
        self.photo = setting.new_module("photo estimator", lambda: self._new(3, 0.0))
        self.sketch = setting.new_module("sketch estimator", lambda: self._new(1, _PAPER_WHITE))
        self._noise = setting.generator("noise")
        self._optimiser = torch.optim.Adam(
            self.parameters(), config.estimator_learning_rate, betas=(0.5, 0.999)
        )

    def state(self) -> dict[str, Stateful]:
        """What a checkpoint has to hold."""
        return {
            "estimators": self,
            "estimator optimiser": self._optimiser,
            "noise": RandomState(self._noise),
        }

    def step(self, students: Students | None) -> Estimate:
        """One optimiser step; `students`, if any, are the adversary."""
        photos, sketches = self()
        p, photo_losses = self._semantics("photo", photos, students)
        q, sketch_losses = self._semantics("sketch", sketches, students)
        losses = {name: photo_losses[name] + sketch_losses[name] for name in photo_losses}
        losses["alignment"] = self._config.alignment * estimation.class_misalignment(p, q)
        if self._config.modality:
            judge = self._setting.modality_classifier
            confusion = estimation.modality_confusion(judge(photos), judge(sketches))
            losses["modality"] = self._config.modality * confusion
        self._optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
        self._optimiser.step()
        pairs = Pairs(photos.detach(), sketches.detach())
        return Estimate(pairs, p.detach(), q.detach(), losses)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Photos and sketches `[B, 3, H, W]` of fresh noise, a pair a row."""
        noise = torch.randn(
            self._config.estimator_batch,
            self._config.latent_dim,
            generator=self._noise,
            device=self._setting.device,
        )
        return self.photo(noise), self.sketch(noise)

    def _new(self, channels: int, brightness: float) -> Estimator:
        return Estimator(
            self._config.latent_dim,
            self._setting.image_size,
            channels=channels,
            width=self._config.estimator_width,
            brightness=brightness,
        )

    def _semantics(
        self, modality: Modality, images: Tensor, students: Students | None
    ) -> tuple[Tensor, Losses]:
        """The teacher's posterior over the union, and the losses of one modality by itself."""
        config, teacher = self._config, self._setting.teacher(modality)
        with StatisticsMatch(teacher) as match:
            logits, features = teacher(images)
        posterior = self._setting.posterior(modality, logits)
        losses = {
            "one_hot": config.one_hot * estimation.one_hotness(logits),
            "entropy": config.entropy * estimation.class_imbalance(logits),
            "activation": config.activation * estimation.inactivity(features),
        }
        if config.batch_norm:
            losses["batch_norm"] = config.batch_norm * match.loss()
        if config.adversary and students is not None:
            agreement = estimation.student_agreement(posterior, students.classify(modality, images))
            losses["adversary"] = config.adversary * agreement
        return posterior, losses
