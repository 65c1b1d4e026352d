"""CrossX-DFL: cross-modal, data-free learning of a photo and a sketch encoder.

Chaudhuri, Bhunia, Song, Dutta: "Data-Free Sketch-Based Image Retrieval", CVPR 2023. Two estimators
map one noise vector to a photo and a sketch; four losses make the images recognisable to the
teachers, of the same class, of their modality, and hard for the students. Students are trained on
the pairs by queue InfoNCE.

This is the method of the paper's figure (independent teachers, queue InfoNCE, adversary), with
these corrections to the released code:

- estimators end in a sigmoid over [0, 1], and all networks share one normaliser (released: a raw
  tanh for teachers that expect normalised images, so that white paper cannot be reached);
- alignment is the symmetric Jensen-Shannon divergence (released: one side detached, the sketch
  estimator is never aligned), with natural logarithms and a guard against log 0;
- classes are balanced by KL(u || mean posterior), which has the same optimum as the entropy
  maximised in the release, but also recovers a class on which the teachers no longer agree;
- a pool gives many encoder steps per generated batch (released: one step per 500 batches);
- the queue is updated and labelled: equal classes are not negatives (released: 128 fixed random
  vectors, since the batch does not divide the queue);
- the adversary is bounded: it acts only if student and teacher predict the same class, through the
  cosine proxies that the students learn (released: unbounded, towards proxies of another space);
- the modality classifier is trained on alternative classes (released: on the training images);
- encoders start from their teachers with frozen normalisation statistics, like all trained methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from dfbench.learning.loop import RandomState
from dfbench.learning.metric_losses import hard_pair_targets, soft_pair_targets
from dfbench.learning.pool import PairPool, Pairs
from dfbench.learning.students import Students
from dfbench.method import Encoders, Method, MethodConfig, Need, ScenarioKind, Setting
from dfbench_baselines import crossx_variants, pictures
from dfbench_baselines.conditional_estimators import ConditionalEstimators
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.health import curves
from dfbench_baselines.pair_estimators import Estimate, PairEstimators
from dfbench_baselines.released import ReleasedGame

__all__ = ["CrossX", "CrossXConfig"]

_PAIR_TARGETS = {
    "soft": soft_pair_targets,
    "hard": hard_pair_targets,
    "noise": crossx_variants.noise_pair_targets,
    "agreeing": crossx_variants.agreeing_pair_targets,
}
_ESTIMATORS: Mapping[str, type[PairEstimators]] = {
    "unconditional": PairEstimators,
    "conditional": ConditionalEstimators,
}
_LOG_EVERY = 10
_SHOWN_BATCHES = 6


class CrossX(Method):
    """The method `crossx`."""

    name = "crossx"
    title = "CrossX-DFL"
    version = 1
    Config = CrossXConfig
    config: CrossXConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = crossx_variants.VARIANTS

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        return crossx_variants.needs(config) if isinstance(config, CrossXConfig) else frozenset()

    @classmethod
    def trains(cls, config: MethodConfig) -> bool:
        return not isinstance(config, CrossXConfig) or config.rounds > 0

    @classmethod
    def cannot(cls, config: MethodConfig, scenario: ScenarioKind) -> str | None:
        if not isinstance(config, CrossXConfig):
            return None
        return crossx_variants.cannot(config, scenario)

    def fit(self, setting: Setting) -> Encoders:
        config = self.config
        if config.teachers == "unified":
            setting = crossx_variants.under_unified_teacher(setting)
        if config.manner == "released":
            return ReleasedGame(setting, config).play()
        students = setting.new_students(
            encoder_init=config.encoder_init,
            pair_targets=_PAIR_TARGETS[config.pair_targets],
            queue_weight=config.queue_weight,
            proxy_weight=config.proxy_weight,
        )
        if config.rounds:
            Game(setting, config, students).play()
        return students.encoders()


class Game:
    """The adversarial game of estimators and students, with a pool of pairs between them."""

    def __init__(self, setting: Setting, config: CrossXConfig, students: Students) -> None:
        self.setting = setting
        self.config = config
        self.students = students
        judge = crossx_variants.modality_judge(setting, config)
        self.estimators = _ESTIMATORS[config.estimators](setting, config, judge)
        self.pool = PairPool(config.pool_batches * config.estimator_batch, setting.image_size).to(
            setting.device
        )
        self.draws = setting.generator("pool")

    def play(self) -> None:
        """Play all turns; writes the pool and pictures of its newest pairs to the run's folder.

        The pairs by class are also pictured now and then during the game.
        """
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
        loop.show(self._picture)
        for step in loop:
            if turns[step] == "students":
                losses = {"students": self.students.step(self._draw())}
                loop.log(_LOG_EVERY, losses)
            else:
                estimate = self._estimate(adversary=step > warm_up)
                if step >= immature:
                    self.pool.add(estimate.pairs)
                losses = estimate.losses
                loop.log(_LOG_EVERY, partial(curves, estimate))
            loop.watch(losses)
        self._show()

    def _draw(self) -> Pairs:
        return self.pool.sample(self.setting.budget.batch_size, self.draws)

    def _estimate(self, *, adversary: bool) -> Estimate:
        self.students.eval().requires_grad_(False)
        estimate = self.estimators.step(self.students if adversary else None)
        self.students.requires_grad_(True)
        return estimate

    def _picture(self) -> None:
        if len(self.pool):
            pictures.save_pairs_by_class(self.setting, self._newest())

    def _newest(self) -> Pairs:
        return self.pool.newest(_SHOWN_BATCHES * self.config.estimator_batch)

    def _show(self) -> None:
        newest = self._newest()
        self.setting.artefacts.save_pairs(*self.pool.stored())
        pictures.save_pairs_by_class(self.setting, newest)
        pictures.save_hardest_pairs(self.setting, self.students, newest)


def schedule(config: CrossXConfig, student_steps: int) -> list[Literal["estimators", "students"]]:
    """The player of each step: a warm-up, then rounds with equal shares of the remaining steps."""
    warm_up = max(1, round(config.estimator_steps * config.warm_up))
    left = config.estimator_steps - warm_up
    turns: list[Literal["estimators", "students"]] = ["estimators"] * warm_up
    for number in range(config.rounds):
        turns += ["estimators"] * _share(left, number, config.rounds)
        turns += ["students"] * _share(student_steps, number, config.rounds)
    return turns


def _share(total: int, number: int, parts: int) -> int:
    return total * (number + 1) // parts - total * number // parts
