"""The joint posterior with the other teacher adapted on generated images: a method of this package.

Let S be the classes of the sketch teacher, P those of the photo teacher and K = S & P. A sketch x
is classified by both: q over S with u = 1 - max_c q_c, and p over P, where v is the mass of p on
the n classes in P but not in S. `joint-posterior` estimates "not in S" from u alone, although v
says the same: by Bayes' rule, for independent errors and evenly frequent classes,

logit u' = logit u + k (logit v - logit n / |P|),
q~_c = (1 - u') q_c for c in S, and u' p_c / v for the others.

k = 1 would trust the photo teacher as if the sketch were a photo. How far it can be trusted is
measured without data. An estimator generates images that match the sketch teacher's classes and
batch-normalisation statistics (Choi et al., CVPR-W 2020). On those of shared classes, k is the
agreement of the two teachers, corrected for chance: 0 if the photo teacher is no better than that,
1 if they always agree. The same images adapt the photo teacher to sketches: its normalisation
statistics are measured on them (AdaBN, Li et al. 2017), and kept if the agreement is higher with
them. Photos likewise, with the teachers exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.datasets import MODALITIES, Modality
from dfbench.method import Encoders, Method, Setting
from dfbench.networks import EvidenceUnion, OpenUnion, SideBySide
from dfbench.teachers import Teacher
from dfbench_baselines.averaged_network import measure_statistics
from dfbench_baselines.modality_estimator import Count, EstimatorConfig, Weight
from dfbench_baselines.open_posterior import OverTeacher
from dfbench_baselines.single_estimator import SingleEstimator

_BATCHES = 16
"""Batches of generated images that adapt and test the other teacher."""
_LOG_EVERY = 10
_COLUMNS = 16


class AdaptedConfig(EstimatorConfig):
    """Settings of both estimators."""

    estimator_steps: Count = 100
    """Steps of each estimator."""
    estimator_batch: int = Field(default=64, ge=2)
    """Images per estimator step."""
    entropy: Weight = 5.0
    """Weight of the balance of classes (nats)."""
    activation: Weight = 0.0
    """Weight of the magnitude of features."""
    batch_norm: Weight = 3.0
    """Weight of matching the teacher's batch-normalisation statistics."""
    adversary: float = Field(default=0.0, ge=0, le=0)
    """No students are trained, so there is no adversarial term."""


class Helper(NamedTuple):
    """The other teacher as used for one modality."""

    teacher: Teacher
    agreement: float
    """Chance-corrected agreement with the modality's own teacher on shared classes, 0 to 1."""
    adapted: bool
    """Whether its normalisation statistics are those of generated images."""


class AdaptedPosterior(Method):
    """Class posteriors over the union, with the other teacher adapted and weighed without data.

    Two teachers, no further needs; estimators are trained, encoders contain both teachers. If
    P = S nothing is trained, and it equals `classifier-posterior`. If fewer than two classes are
    shared, agreement cannot be measured: k = 0, and it equals `joint-posterior`.
    """

    name = "adapted-posterior"
    title = "Adapted Posterior (ours)"
    version = 1
    Config = AdaptedConfig
    config: AdaptedConfig

    def fit(self, setting: Setting) -> Encoders:
        helpers = {m: self._helper(setting, m) for m in MODALITIES}
        setting.artefacts.save_json(
            "other-teachers",
            {m: {"agreement": h.agreement, "adapted": h.adapted} for m, h in helpers.items()},
        )
        photo = self._encoder(setting, "photo", helpers["photo"])
        return Encoders(photo, self._encoder(setting, "sketch", helpers["sketch"]), "inner")

    def _encoder(self, setting: Setting, modality: Modality, helper: Helper) -> nn.Module:
        own, other, classes = setting.teacher(modality), helper.teacher, setting.classes
        columns = [classes.index(name) for name in own.classes]
        names = [name for name in classes if name not in own.classes]
        if not names:
            return OverTeacher(own, OpenUnion(columns, (), len(classes)))
        union = EvidenceUnion(
            columns,
            [classes.index(name) for name in names],
            [other.classes.index(name) for name in names],
            len(other.classes),
            weight=helper.agreement,
        )
        # both teachers' logits as they are
        logits = SideBySide(*(OverTeacher(teacher, nn.Sequential()) for teacher in (own, other)))
        return nn.Sequential(logits, union)

    def _helper(self, setting: Setting, modality: Modality) -> Helper:
        other = setting.teacher("sketch" if modality == "photo" else "photo")
        complete = set(setting.teacher(modality).classes) == set(setting.classes)
        if complete or len(setting.common_classes) < 2:
            return Helper(other, agreement=0.0, adapted=False)
        batches = self._generated(setting, modality)
        plain = Helper(other, teacher_agreement(setting, modality, other, batches), adapted=False)
        teacher = adapted(other, batches)
        agreement = teacher_agreement(setting, modality, teacher, batches)
        return max(plain, Helper(teacher, agreement, adapted=True), key=lambda h: h.agreement)

    def _generated(self, setting: Setting, modality: Modality) -> list[Tensor]:
        """Batches of images `[B, 3, H, W]` that the modality's teacher recognises."""
        estimator = SingleEstimator(setting, self.config, modality)
        loop = setting.loop(f"{modality} images", self.config.estimator_steps, estimator.state())
        for _ in loop:
            losses = estimator.step(None)[1]
            loop.watch(losses)
            loop.log(_LOG_EVERY, losses)
        with torch.no_grad():
            batches = [estimator(self.config.estimator_batch) for _ in range(_BATCHES)]
        order = setting.label(modality, batches[0]).argmax(dim=1).argsort(stable=True)
        name = f"generated-{modality}-images"
        setting.artefacts.save_grid(name, batches[0][order], _COLUMNS)
        return batches


@torch.no_grad()
def adapted(teacher: Teacher, batches: Sequence[Tensor]) -> Teacher:
    """A copy whose normalisation statistics are those of the images; its weights are the same."""
    copy = deepcopy(teacher)
    measure_statistics(copy.network.backbone, map(copy.network.normaliser, batches))
    return copy


@torch.no_grad()
def teacher_agreement(
    setting: Setting, modality: Modality, other: Teacher, batches: Sequence[Tensor]
) -> float:
    """How well `other` tells shared classes in images of a modality: 0 (chance) to 1.

    The mean over shared classes of the share of images, among those that the modality's own teacher
    assigns to the class, that `other` does too, given the choice of the shared classes only.
    """
    shared = [setting.classes.index(name) for name in setting.common_classes]
    rows = [other.classes.index(name) for name in setting.common_classes]
    decisions = torch.cat([setting.label(modality, images).argmax(dim=1) for images in batches])
    choices = torch.cat([other(images).logits[:, rows].argmax(dim=1) for images in batches])
    found = [
        (choices[decisions == column] == place).float().mean().item()
        for place, column in enumerate(shared)
        if (decisions == column).any()
    ]
    chance = 1 / len(shared)
    return max(0.0, (sum(found) / max(len(found), 1) - chance) / (1 - chance))
