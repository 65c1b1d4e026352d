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
- the adversary is bounded: it acts only where student and teacher decide alike, through the
  cosine proxies that the students learn (released: unbounded, towards proxies of another space);
- the modality classifier learns from alternative classes (released: from the training images);
- encoders start from their teachers with frozen normalisation statistics, like every row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from dfbench.learning.loop import RandomState
from dfbench.learning.metric import hard_pair_targets, soft_pair_targets
from dfbench.learning.pool import PairPool, Pairs
from dfbench.learning.students import Students
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting
from dfbench_baselines.pair_estimators import Estimate, EstimationConfig, PairEstimators

_PAIR_TARGETS = {"soft": soft_pair_targets, "hard": hard_pair_targets}
_LOG_EVERY = 10
_COLUMNS = 16
_SHOWN = 6 * _COLUMNS


class CrossXConfig(EstimationConfig):
    """Settings of CrossX-DFL."""

    rounds: int = Field(default=8, ge=0)
    """Turns that estimators and students take; 0 trains nothing (the zero-step control)."""
    warm_up: float = Field(default=0.5, ge=0.1, le=1)
    """Share of the estimator steps before the first turn of the students. The first tenth of the
    steps never enters the pool."""
    pool_batches: int = Field(default=60, ge=1)
    """Estimator batches that the pool remembers."""
    pair_targets: Literal["soft", "hard"] = "soft"
    """Positives of InfoNCE: by probability of the same class, or by equal decisions."""
    queue_weight: float = Field(default=1.0, ge=0)
    """Weight of queue InfoNCE in the students' loss."""
    proxy_weight: float = Field(default=1.0, ge=0)
    """Weight of the shared proxies in the students' loss."""


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
            pair_targets=_PAIR_TARGETS[config.pair_targets],
            queue_weight=config.queue_weight,
            proxy_weight=config.proxy_weight,
        )
        if config.rounds:
            Game(setting, config, students).play()
        return students.encoders()


class Game:
    """Estimators and students taking turns, with a pool of pairs between them."""

    def __init__(self, setting: Setting, config: CrossXConfig, students: Students) -> None:
        self.setting = setting
        self.config = config
        self.students = students
        self.estimators = PairEstimators(setting, config)
        self.pool = PairPool(config.pool_batches * config.estimator_batch, setting.image_size).to(
            setting.device
        )
        self.draws = setting.generator("pool")

    def play(self) -> None:
        """Play all turns; leaves a picture of pairs beside the run."""
        turns = schedule(self.config, self.setting.budget.steps)
        warm_up = turns.index("students") if "students" in turns else len(turns)
        immature = min(self.config.estimator_steps // 10, warm_up - 1)
        state = {
            **self.estimators.state(),
            **self.students.state(),
            "pool": self.pool,
            "pool draws": RandomState(self.draws),
        }
        loop = self.setting.loop("crossx", len(turns), state)
        for step in loop:
            if turns[step] == "students":
                loss = self.students.step(self._draw())
                loop.log(_LOG_EVERY, {"students": loss})
            else:
                estimate = self._estimate(adversary=step > warm_up)
                if step >= immature:
                    self.pool.add(estimate.pairs)
                loop.log(_LOG_EVERY, curves(estimate))
        self._show()

    def _draw(self) -> Pairs:
        return self.pool.sample(self.setting.budget.batch_size, self.draws)

    def _estimate(self, *, adversary: bool) -> Estimate:
        self.students.eval().requires_grad_(False)
        estimate = self.estimators.step(self.students if adversary else None)
        self.students.requires_grad_(True)
        return estimate

    def _show(self) -> None:
        """Picture of the newest pairs in order of class: a row of photos over one of sketches."""
        newest = self.pool.newest(_SHOWN)
        order = self.setting.label("photo", newest.photos).argmax(dim=1).argsort(stable=True)
        rows = [
            torch.cat([newest.photos[some], newest.sketches[some]])
            for some in torch.split(order, _COLUMNS)
        ]
        self.setting.artefacts.save_grid("generated-pairs", torch.cat(rows), _COLUMNS)


def schedule(config: CrossXConfig, student_steps: int) -> list[Literal["estimators", "students"]]:
    """Whose turn each step is: the warm-up, then rounds with equal shares of what is left."""
    warm_up = max(1, round(config.estimator_steps * config.warm_up))
    left = config.estimator_steps - warm_up
    turns: list[Literal["estimators", "students"]] = ["estimators"] * warm_up
    for number in range(config.rounds):
        turns += ["estimators"] * _share(left, number, config.rounds)
        turns += ["students"] * _share(student_steps, number, config.rounds)
    return turns


def curves(estimate: Estimate) -> dict[str, float]:
    """What is watched during the game: losses, and three signs of health that need no data.

    Agreement of the teachers on a pair, the rarest class's share relative to its fair share, and
    the certainty of the photo teacher.
    """
    p, q, losses = estimate.p, estimate.q, estimate.losses
    shares = p.mean(dim=0)
    return {
        **{name: float(loss.detach()) for name, loss in losses.items()},
        "agreement": float((p.argmax(dim=1) == q.argmax(dim=1)).float().mean()),
        "rarest class": float(shares.min() * len(shares)),
        "certainty": float(p.max(dim=1).values.mean()),
    }


def _share(total: int, number: int, parts: int) -> int:
    return total * (number + 1) // parts - total * number // parts
