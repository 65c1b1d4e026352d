"""Class-aligned, guided, adversarial estimation of photo-sketch pairs (CrossX-DFL's first half)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.learning import estimation
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.pool import Pairs
from dfbench.learning.students import Students
from dfbench.method import Setting
from dfbench.networks import Estimator
from dfbench_baselines.crossx_config import EstimationConfig

_PAPER_WHITE = 2.0
"""Logit that sketches start from: paper of grey level .88."""

_BALANCE = {"coverage": estimation.class_absence, "entropy": estimation.class_imbalance}

Losses = dict[str, Tensor]


class Estimate(NamedTuple):
    """What one estimator step made."""

    pairs: Pairs
    p: Tensor
    """`[B, C]`, the photo teacher's posterior."""
    q: Tensor
    """`[B, C]`, the sketch teacher's posterior."""
    h: Tensor
    """`[B, D]`, the photo teacher's features."""
    losses: Losses
    """Each with its weight; none of those whose weight is 0."""


class PairEstimators(nn.Module):
    """A photo and a sketch estimator that share one noise vector, and the losses that form them.

    `judge` maps images to logits `[B]`, positive for sketches; with `None` nothing guides the
    modalities. Both estimators take inputs `[B, input_dim]`.
    """

    def __init__(
        self,
        setting: Setting,
        config: EstimationConfig,
        judge: nn.Module | None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__()
        self._setting = setting
        self._config = config
        # In a list: the judge belongs to the setting, and not into a checkpoint of the estimators.
        self._judge = [judge] if judge is not None and config.modality else []
        width = input_dim or config.latent_dim
        self.photo = setting.new_module("photo estimator", lambda: self._new(width, 3, 0.0))
        self.sketch = setting.new_module(
            "sketch estimator", lambda: self._new(width, 1, _PAPER_WHITE)
        )
        self._random = setting.generator("noise")
        known = [set(setting.teacher(modality).classes) for modality in MODALITIES]
        common = [all(name in classes for classes in known) for name in setting.classes]
        self._shared = torch.tensor(common, device=setting.device)
        self._optimiser = torch.optim.Adam(
            self.parameters(), config.estimator_learning_rate, betas=(0.5, 0.999)
        )

    def state(self) -> dict[str, Stateful]:
        """What a checkpoint has to hold."""
        return {
            "estimators": self,
            "estimator optimiser": self._optimiser,
            "noise": RandomState(self._random),
        }

    def step(self, students: Students | None) -> Estimate:
        """One optimiser step; `students`, if any, are the adversary."""
        config = self._config
        source = self.draw()
        photos, sketches = self.photo(source), self.sketch(source)
        p, h, photo_losses = self._semantics("photo", photos, students)
        q, _, sketch_losses = self._semantics("sketch", sketches, students)
        losses = {name: photo_losses[name] + sketch_losses[name] for name in photo_losses}
        if config.alignment:
            shared = (estimation.with_other_bin(posterior, self._shared) for posterior in (p, q))
            losses["alignment"] = config.alignment * estimation.class_misalignment(*shared)
        for judge in self._judge:
            confusion = estimation.modality_confusion(judge(photos), judge(sketches))
            losses["modality"] = config.modality * confusion
        self._optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
        self._optimiser.step()
        pairs = Pairs(photos.detach(), sketches.detach())
        return Estimate(pairs, p.detach(), q.detach(), h.detach(), losses)

    def draw(self) -> Tensor:
        """Fresh input `[B, input_dim]` of both estimators: noise ~ N(0, I)."""
        return torch.randn(
            self._config.estimator_batch,
            self._config.latent_dim,
            generator=self._random,
            device=self._setting.device,
        )

    def uncertainty(self, modality: Modality, logits: Tensor) -> Tensor:
        """How far a teacher is from seeing one class in every image: one-hotness."""
        del modality
        return estimation.one_hotness(logits)

    def _new(self, input_dim: int, channels: int, brightness: float) -> Estimator:
        return Estimator(
            input_dim,
            self._setting.image_size,
            channels=channels,
            width=self._config.estimator_width,
            brightness=brightness,
        )

    def _semantics(
        self, modality: Modality, images: Tensor, students: Students | None
    ) -> tuple[Tensor, Tensor, Losses]:
        """The teacher's posterior and features, and the losses of one modality by itself."""
        config, teacher = self._config, self._setting.teacher(modality)
        match = StatisticsMatch(teacher)
        with match if config.batch_norm else nullcontext():
            logits, features = teacher(images)
        posterior = self._setting.posterior(modality, logits)
        losses: Losses = {}
        if config.one_hot:
            losses["one_hot"] = config.one_hot * self.uncertainty(modality, logits)
        if config.entropy:
            losses["entropy"] = config.entropy * _BALANCE[config.balance](logits)
        if config.activation:
            losses["activation"] = config.activation * estimation.inactivity(features)
        if config.batch_norm:
            losses["batch_norm"] = config.batch_norm * match.loss()
        if config.adversary and students is not None:
            agreement = estimation.student_agreement(posterior, students.classify(modality, images))
            losses["adversary"] = config.adversary * agreement
        return posterior, features, losses
