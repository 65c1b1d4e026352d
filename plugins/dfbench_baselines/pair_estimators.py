"""Class-aligned, guided, adversarial estimation of photo-sketch pairs (half of CrossX-DFL)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dfbench.datasets import Modality
from dfbench.learning import estimation
from dfbench.learning.loop import RandomState, Stateful, descend
from dfbench.learning.pool import Pairs
from dfbench.learning.students import Students
from dfbench.method import Setting
from dfbench_baselines.crossx_config import EstimationConfig
from dfbench_baselines.modality_estimator import (
    Judgement,
    Losses,
    judged,
    new_estimator,
    new_optimiser,
    noise,
)

_BALANCE = {"coverage": estimation.class_absence, "entropy": estimation.class_imbalance}


class Estimate(NamedTuple):
    """The result of one estimator step."""

    pairs: Pairs
    p: Tensor
    """`[B, C]`, the photo teacher's posterior."""
    q: Tensor
    """`[B, C]`, the sketch teacher's posterior."""
    h: Tensor
    """`[B, D]`, the photo teacher's features."""
    losses: Losses
    """Weighted losses by name; losses with weight 0 are left out."""


class PairEstimators(nn.Module):
    """A photo and a sketch estimator that share one noise vector, and the losses that train them.

    `judge` maps images to logits `[B]`, positive for sketches; None disables modality guidance.
    Both estimators take inputs `[B, input_dim]`.
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
        # In a list: the judge belongs to the setting, not to a checkpoint of the estimators.
        self._judge = [judge] if judge is not None and config.modality else []
        width = input_dim or config.latent_dim
        self.photo = new_estimator(setting, config, "photo", width)
        self.sketch = new_estimator(setting, config, "sketch", width)
        self._random = setting.generator("noise")
        common = [name in setting.common_classes for name in setting.classes]
        self._binned = estimation.OtherBin(torch.tensor(common, device=setting.device))
        self._optimiser = new_optimiser(config, self.parameters())

    def state(self) -> dict[str, Stateful]:
        """State for checkpoints."""
        return {
            "estimators": self,
            "estimator optimiser": self._optimiser,
            "noise": RandomState(self._random),
        }

    def step(self, students: Students | None) -> Estimate:
        """Take one optimiser step; `students`, if any, are the adversary."""
        config = self._config
        for_photos, for_sketches = self.draw()
        photos, sketches = self.photo(for_photos), self.sketch(for_sketches)
        p, h, photo_losses = self._judged("photo", photos, students)
        q, _, sketch_losses = self._judged("sketch", sketches, students)
        losses = {name: photo_losses[name] + sketch_losses[name] for name in photo_losses}
        if config.alignment:
            misalignment = estimation.class_misalignment(self._binned(p), self._binned(q))
            losses["alignment"] = config.alignment * misalignment
        for judge in self._judge:
            confusion = estimation.modality_confusion(judge(photos), judge(sketches))
            losses["modality"] = config.modality * confusion
        descend(self._optimiser, *losses.values())
        pairs = Pairs(photos.detach(), sketches.detach())
        return Estimate(pairs, p.detach(), q.detach(), h.detach(), losses)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Fresh inputs `[B, input_dim]` of the two estimators: one noise ~ N(0, I) for both."""
        shared = noise(self._setting, self._config, self._config.estimator_batch, self._random)
        return shared, shared

    def uncertainty(self, modality: Modality, logits: Tensor) -> Tensor:
        """The loss that is low if the teacher sees one class in each image: one-hotness."""
        del modality
        return estimation.one_hotness(logits)

    def _judged(self, modality: Modality, images: Tensor, students: Students | None) -> Judgement:
        return judged(
            self._setting,
            self._config,
            modality,
            images,
            students,
            uncertainty=partial(self.uncertainty, modality),
            imbalance=_BALANCE[self._config.balance],
        )
