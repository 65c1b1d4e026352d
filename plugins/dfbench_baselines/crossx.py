"""CrossX-DFL: cross-modal, data-free learning of a photo and a sketch encoder.

Chaudhuri, Bhunia, Song, Dutta: "Data-Free Sketch-Based Image Retrieval", CVPR 2023. Two estimators
turn one noise vector into a photo and a sketch; four losses make them images that the teachers
recognise, of the same class, of their modality, and hard for the students. Students learn from
the pairs by queue InfoNCE.

This is the method of the paper's figure (independent teachers, queue InfoNCE, adversary). Against
the released code the following is mended:

- estimators end in a sigmoid over [0, 1] and every network sees one normaliser (released: a tanh
  fed raw to teachers that expect normalised images, so that white paper cannot be reached);
- alignment is the two-sided Jensen-Shannon divergence (released: one side detached, the sketch
  estimator is never aligned), with natural logarithms and a guard against log 0;
- a pool gives many encoder steps per generated batch (released: one step per 500 batches);
- the queue is updated and labelled: equal classes are no negatives (released: 128 random vectors
  for ever, since the batch does not divide the queue);
- the adversary is bounded: it acts only where student and teacher decide alike, through proxies
  that the students learn (released: unbounded, towards proxies of another space);
- the modality classifier learns from alternative classes (released: from the training images);
- encoders start from their teachers with frozen normalisation statistics, like every row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.learning import estimation
from dfbench.learning.augment import crop_and_flip
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.metric import hard_pair_targets, soft_pair_targets
from dfbench.learning.pool import PairBatch, PairPool
from dfbench.learning.students import Students
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting
from dfbench.networks import Estimator

PAIR_TARGETS = {"soft": soft_pair_targets, "hard": hard_pair_targets}


class CrossXConfig(MethodConfig):
    """Settings of CrossX-DFL; weights multiply the losses of the same name."""

    rounds: int = Field(default=8, ge=0)
    """Times that estimators and encoders take turns; 0 trains nothing (the zero-step control)."""
    warm_up: float = 0.5
    augment: bool = False
    estimator_steps: int = Field(default=400, ge=1)
    """Estimator steps over all rounds."""
    estimator_batch: int = Field(default=96, ge=2)
    """Pairs an estimator step makes."""
    estimator_learning_rate: float = Field(default=2e-3, gt=0)
    """Learning rate of Adam for the estimators."""
    latent_dim: int = Field(default=128, ge=1)
    """Width of the noise vector that both estimators share."""
    estimator_width: int = Field(default=48, ge=2)
    """Channels of the estimators."""
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
    """Weight of the adversarial term, after a tenth of the estimator steps."""
    batch_norm: float = Field(default=0.0, ge=0)
    """Weight of matching the teachers' batch-normalisation statistics."""
    pool_batches: int = Field(default=60, ge=1)
    """Estimator batches that the pool remembers."""
    pair_targets: Literal["soft", "hard"] = "soft"
    """Positives of InfoNCE: by probability of the same class, or by equal decisions."""
    queue_weight: float = Field(default=1.0, ge=0)
    """Weight of queue InfoNCE in the encoders' loss."""
    proxy_weight: float = Field(default=1.0, ge=0)
    """Weight of the shared proxies in the encoders' loss."""


class CrossX(Method):
    """The row `crossx`."""

    name = "crossx"
    title = "CrossX-DFL"
    version = 1
    Config = CrossXConfig
    config: CrossXConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "bn": {"batch_norm": 3.0},
        "zero-step": {"rounds": 0},
    }

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        guided = isinstance(config, CrossXConfig) and config.modality > 0 and config.rounds > 0
        return frozenset({Need.MODALITY_CLASSIFIER} if guided else ())

    def fit(self, setting: Setting) -> Encoders:
        config = self.config
        students = setting.new_students(
            pair_targets=PAIR_TARGETS[config.pair_targets],
            queue_weight=config.queue_weight,
            proxy_weight=config.proxy_weight,
        )
        if config.rounds:
            Turns(setting, config, students).run()
        return students.encoders()


class PairEstimators(nn.Module):
    """The photo and the sketch estimator, and the losses that make their images."""

    def __init__(self, setting: Setting, config: CrossXConfig) -> None:
        super().__init__()
        self.setting = setting
        self.config = config
        self.photo = setting.new_module("photo estimator", lambda: self._new(3, 0.0))
        self.sketch = setting.new_module("sketch estimator", lambda: self._new(1, 2.0))
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

    def step(self, students: Students | None) -> tuple[PairBatch, dict[str, Tensor]]:
        """One optimiser step; `students` are the adversary. Returns the pairs and the losses."""
        noise = torch.randn(
            self.config.estimator_batch,
            self.config.latent_dim,
            generator=self._noise,
            device=self.setting.device,
        )
        photos, sketches = self.photo(noise), self.sketch(noise)
        p, photo_losses = self._semantics("photo", photos, students)
        q, sketch_losses = self._semantics("sketch", sketches, students)
        losses = {name: photo_losses[name] + sketch_losses[name] for name in photo_losses}
        losses["alignment"] = self.config.alignment * estimation.class_misalignment(p, q)
        if self.config.modality:
            judge = self.setting.modality_classifier
            confusion = estimation.modality_confusion(judge(photos), judge(sketches))
            losses["modality"] = self.config.modality * confusion
        self._optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        self._optimiser.step()
        return PairBatch(photos.detach(), sketches.detach(), p.detach(), q.detach()), losses

    def _new(self, channels: int, brightness: float) -> Estimator:
        config = self.config
        return Estimator(
            config.latent_dim,
            self.setting.image_size,
            channels=channels,
            width=config.estimator_width,
            brightness=brightness,
        )

    def _semantics(self, modality, images, students):
        config, teacher = self.config, self.setting.teacher(modality)
        if config.augment:
            images = crop_and_flip(images, self._noise)
        with StatisticsMatch(teacher) as match:
            logits, features = teacher(images)
        posterior = self.setting.posterior(modality, logits)
        losses = {
            "one_hot": config.one_hot * estimation.one_hotness(logits),
            "entropy": config.entropy * estimation.class_imbalance(logits),
            "activation": config.activation * estimation.inactivity(features),
        }
        if config.batch_norm:
            losses["batch_norm"] = config.batch_norm * match.loss()
        if config.adversary and students is not None:
            s = students.proxies((students.photo if modality == "photo" else students.sketch)(images))
            losses["adversary"] = config.adversary * estimation.student_agreement(posterior, s)
        return posterior, losses


class Turns:
    """Estimators and students taking turns: the adversarial game, a round at a time."""

    def __init__(self, setting: Setting, config: CrossXConfig, students: Students) -> None:
        self.setting, self.config, self.students = setting, config, students
        self.estimators = PairEstimators(setting, config)
        self.pool = PairPool(
            config.pool_batches * config.estimator_batch, setting.image_size, len(setting.classes)
        ).to(setting.device)
        self.draws = setting.generator("pool")

    def run(self) -> None:
        config, steps = self.config, self.setting.budget.steps
        turns = schedule(config, steps)
        state = {**self.estimators.state(), **self.students.state(), "pool": self.pool, "draws": RandomState(self.draws)}
        loop = self.setting.loop("crossx", len(turns), state)
        done = taught = 0
        for tick in loop:
            if turns[tick]:
                self.students.eval().requires_grad_(False)
                batch, losses = self.estimators.step(self.students if taught else None)
                self.students.requires_grad_(True)
                done += 1
                if done > config.estimator_steps * .05: self.pool.add(batch)
                loop.log(10, lambda: {k: v.item() for k, v in losses.items()} | {"agreement": (batch.p.argmax(1)==batch.q.argmax(1)).float().mean().item()})
            else:
                taught += 1
                self.students.step(self.pool.sample(self.setting.budget.batch_size, self.draws))
        self.batch = batch


def schedule(config, steps):
    warm = round(config.estimator_steps * config.warm_up)
    rest = config.estimator_steps - warm
    r = config.rounds
    turns = [True] * warm
    for i in range(r):
        turns += [True] * (rest * (i + 1) // r - rest * i // r) + [False] * (steps * (i + 1) // r - steps * i // r)
    return turns
