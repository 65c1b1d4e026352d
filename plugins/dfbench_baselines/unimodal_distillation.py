"""Uni-modal distillation: two data-free distillations that never hear of each other.

Chen et al., "Data-Free Learning of Student Networks" (DAFL), ICCV 2019, once for the photo teacher
and once for the sketch teacher; `[dfq]` has the losses of Choi et al., "Data-Free Network
Quantization With Adversarial Knowledge Distillation", CVPR-W 2020. An estimator makes images that
its teacher recognises; the student of that teacher learns its posterior on them, KL(p || s). No
common noise, no alignment, no modality guidance, no cross-modal loss: what one modality's run
computes does not depend on the other's.

Published: the losses; the script's default weights 1, 5, .1 (its CIFAR-10 weights .05, 5, .01 leave
the teachers undecided within such a budget); DFQ's certainty 1 and adversary 1. Natural logarithms
throughout: DAFL's entropy weight 5 is of log10, 2.17 here. Ours:

- students are the encoders of every row, started as the budget says, with its steps, batch and
  optimiser. Their class percentages are cosines with *class codes*: fixed vectors, drawn before
  training and learned from nothing, the same for both modalities. They give both feature spaces the
  same axes without a word between the two runs; `[separate]` draws codes for each, and shows what
  that is worth;
- estimators (sigmoid over [0, 1], grey sketches on light paper), a warm-up and a pool of images as
  in CrossX. `[no-pool]` is DAFL's schedule, one estimator step a student step and every image seen
  once: within such a budget its students follow their teachers on far fewer images;
- `[dfq]` weighs balance 5 and batch-normalisation matching 3, of the mean divergence per channel
  (published: 20, and 1 of the sum of norms over layers): teachers are the surer of the images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from dfbench.datasets import MODALITIES
from dfbench.learning.loop import RandomState
from dfbench.learning.objectives.class_codes import ClassCodes
from dfbench.learning.pool import PairPool, Pairs
from dfbench.learning.students import Students
from dfbench.method import Encoders, Method, Setting
from dfbench_baselines.modality_estimator import EstimatorConfig, Losses
from dfbench_baselines.single_estimator import SingleEstimator

_LOG_EVERY = 10
_COLUMNS = 16
_SHOWN = 6 * _COLUMNS


class UnimodalConfig(EstimatorConfig):
    """Settings of both distillations."""

    codes: Literal["shared", "separate"] = "shared"
    """One set of class codes for both modalities, or one for each."""
    warm_up: int = Field(default=150, ge=0)
    """Estimator steps before the first student step."""
    student_steps: int = Field(default=4, ge=1)
    """Student steps after each further estimator step."""
    pool_batches: int = Field(default=60, ge=0)
    """Estimator batches that students draw from; 0: always fresh images of the estimators."""


class UnimodalDistillation(Method):
    """The row `unimodal-distillation`."""

    name = "unimodal-distillation"
    title = "Uni-Modal Distillation"
    version = 1
    Config = UnimodalConfig
    config: UnimodalConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dfq": {
            "entropy": 5.0,
            "activation": 0.0,
            "batch_norm": 3.0,
            "adversary": 1.0,
        },
        "no-pool": {"warm_up": 0, "student_steps": 1, "pool_batches": 0},
        "separate": {"codes": "separate"},
    }

    def fit(self, setting: Setting) -> Encoders:
        students = setting.new_students(ClassCodes, separate=self.config.codes == "separate")
        TwoDistillations(setting, self.config, students).run()
        return students.encoders()


class TwoDistillations:
    """Two estimators and two students at work, in step but without a word to each other."""

    def __init__(self, setting: Setting, config: UnimodalConfig, students: Students) -> None:
        self._setting = setting
        self._config = config
        self._students = students
        self._photo, self._sketch = (SingleEstimator(setting, config, m) for m in MODALITIES)
        pool = PairPool(config.pool_batches * config.estimator_batch, setting.image_size)
        self._pool = pool.to(setting.device)
        self._draws = setting.generator("pool")

    def run(self) -> None:
        """Train estimators and students; leaves a picture of each modality's images."""
        config, setting = self._config, self._setting
        state = {
            **self._students.state(),
            **self._photo.state(),
            **self._sketch.state(),
            "pool": self._pool,
            "pool draws": RandomState(self._draws),
        }
        loop = setting.loop("distillation", config.warm_up + setting.budget.steps, state)
        for step in loop:
            taught = step - config.warm_up
            if taught < 0 or taught % config.student_steps == 0:
                losses = self._estimate(adversary=taught > 0)
                loop.watch(losses)
                loop.log(_LOG_EVERY, losses)
            if taught >= 0:
                losses = {"students": self._students.step(self._draw())}
                loop.watch(losses)
                loop.log(_LOG_EVERY, losses)
        self._show()

    def _estimate(self, *, adversary: bool) -> Losses:
        students = self._students.eval().requires_grad_(False) if adversary else None
        photos, photo_losses = self._photo.step(students)
        sketches, sketch_losses = self._sketch.step(students)
        self._students.requires_grad_(True)
        if self._pool.size:
            self._pool.add(Pairs(photos, sketches))
        return photo_losses | sketch_losses

    @torch.no_grad()
    def _draw(self) -> Pairs:
        """A batch for each student; that a photo and a sketch share a row means nothing."""
        count = self._setting.budget.batch_size
        if self._pool.size:
            return self._pool.sample(count, self._draws)
        return Pairs(self._photo(count), self._sketch(count))

    @torch.no_grad()
    def _show(self) -> None:
        for modality, estimator in zip(MODALITIES, (self._photo, self._sketch), strict=True):
            images = estimator(_SHOWN)
            order = self._setting.label(modality, images).argmax(dim=1).argsort(stable=True)
            name = f"generated-{modality}-images"
            self._setting.artefacts.save_grid(name, images[order], _COLUMNS)
