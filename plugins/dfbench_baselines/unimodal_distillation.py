"""Uni-modal distillation: an independent data-free distillation for each modality.

Chen et al., "Data-Free Learning of Student Networks" (DAFL), ICCV 2019, once for the photo teacher
and once for the sketch teacher; `[dfq]` has the losses of Choi et al., "Data-Free Network
Quantization With Adversarial Knowledge Distillation", CVPR-W 2020. An estimator generates images
that its teacher recognises; the teacher's student is trained on its posterior for them, KL(p || s).
There is no common noise, alignment, modality guidance or cross-modal loss: the training of one
modality does not depend on the other.

Published: the losses; the script's default weights 1, 5, .1 (with its CIFAR-10 weights .05, 5, .01
teachers stay uncertain within such a budget); DFQ's certainty 1 and adversary 1. All logarithms are
natural: DAFL's entropy weight 5 is for log10, 2.17 here. Our additions:

- students are the encoders of all trained methods, initialised as set by the budget, with its
  steps, batch and optimiser. Their class probabilities are cosines with *class codes*: fixed
  vectors, drawn before training, the same for both modalities. They give both embedding spaces the
  same axes without any exchange between the two trainings; `[separate]` draws codes for each
  modality, and shows how much this contributes;
- estimators (sigmoid over [0, 1], grey sketches on light paper), a warm-up and a pool of images as
  in CrossX. `[no-pool]` is DAFL's schedule, one estimator step per student step with every image
  seen once: within such a budget its students see far fewer images;
- `[dfq]` weights balance by 5 and batch-normalisation matching by 3, for the mean divergence per
  channel (published: 20, and 1 for the sum of norms over layers): teachers are then more certain.
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
    """Estimator steps before the first student step; at most as many as the budget has steps."""
    student_steps: int = Field(default=4, ge=1)
    """Student steps after each further estimator step."""
    pool_batches: int = Field(default=60, ge=0)
    """Number of estimator batches in the pool; 0: students always get fresh images."""


class UnimodalDistillation(Method):
    """The method `unimodal-distillation`."""

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
    """Two estimators and two students, trained in step but independently."""

    def __init__(self, setting: Setting, config: UnimodalConfig, students: Students) -> None:
        self._setting = setting
        self._config = config
        self._students = students
        self._photo, self._sketch = (SingleEstimator(setting, config, m) for m in MODALITIES)
        pool = PairPool(config.pool_batches * config.estimator_batch, setting.image_size)
        self._pool = pool.to(setting.device)
        self._draws = setting.generator("pool")

    def run(self) -> None:
        """Train estimators and students; writes a picture of each modality's images."""
        config, setting = self._config, self._setting
        state = {
            **self._students.state(),
            **self._photo.state(),
            **self._sketch.state(),
            "pool": self._pool,
            "pool draws": RandomState(self._draws),
        }
        warm_up = min(config.warm_up, setting.budget.steps)
        loop = setting.loop("distillation", warm_up + setting.budget.steps, state)
        for step in loop:
            taught = step - warm_up
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
        """A batch for each student; photo and sketch of one row are unrelated."""
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
