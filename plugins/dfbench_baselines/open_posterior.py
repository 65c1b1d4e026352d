"""The class posterior for teachers with different classes: a method of this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from dfbench.datasets import MODALITIES, Modality
from dfbench.errors import InvalidConfig
from dfbench.method import Method, MethodConfig, Need, Setting
from dfbench.networks import Encoders, OpenUnion, Scaled, SideBySide, UnitNorm, UnknownShare
from dfbench.teachers import Teacher
from dfbench_baselines.classifiers import PosteriorConfig


class OpenPosteriorConfig(PosteriorConfig):
    """Settings of the open-set posterior."""

    unknown: UnknownShare = "max-posterior"
    """Estimator of u, the probability that an image is of none of the teacher's classes:
    1 - max_c p_c, or the entropy of p over its maximum."""
    features: float = Field(default=0.0, ge=0)
    """Weight of the cosine of penultimate features, added to the score. Features of two teachers
    are comparable only as far as both come from one initialisation."""
    oracle: bool = False
    """Take u from the labels of the test images, 1 or 0: an upper bound, with its own need."""


class OverTeacher(nn.Module):
    """Posterior `[B, C]` over the union of classes, from the logits of a teacher."""

    def __init__(self, teacher: Teacher, union: nn.Module) -> None:
        super().__init__()
        self.teacher, self.union = teacher, union

    def forward(self, images: Tensor) -> Tensor:
        posterior: Tensor = self.union(self.teacher(images).logits)
        return posterior

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        network = self.teacher.network
        return network.normaliser, network.backbone, network.head, self.union


class WithFeatures(nn.Module):
    """The same posterior, followed by the unit vector of features `[B, D]` times sqrt(`weight`).

    The inner product thus adds `weight` times the cosine of features.
    """

    def __init__(self, teacher: Teacher, union: nn.Module, weight: float) -> None:
        super().__init__()
        self.teacher, self.union, self.weight = teacher, union, weight

    def forward(self, images: Tensor) -> Tensor:
        output = self.teacher(images)
        direction = functional.normalize(output.features, dim=1)
        return torch.cat([self.union(output.logits), self.weight**0.5 * direction], dim=1)

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        network = self.teacher.network
        direction = nn.Sequential(UnitNorm(), Scaled(self.weight**0.5))
        both = SideBySide(nn.Sequential(network.head, self.union), direction)
        return network.normaliser, network.backbone, both


class AllUnknown(nn.Module):
    """Maps logits `[B, K]` to the open-set posterior `[B, count]` of images of unknown classes."""

    def __init__(self, others: Sequence[int], count: int) -> None:
        super().__init__()
        self.others, self.count = list(others), count

    def forward(self, logits: Tensor) -> Tensor:
        union = logits.new_zeros(logits.shape[0], self.count)
        union[:, self.others] = 1 / len(self.others)
        return union


class OpenPosterior(Method):
    """Class posteriors over the union of classes, with a probability of "none of these"; ours.

    Let S be the classes known to the sketch teacher and P those known to the photo teacher. The
    wanted score is P(same class) = sum of P(c | sketch) P(c | photo) over c in S or P. The softmax
    q over S is P(c | sketch, c in S), hence P(c | sketch) = (1 - u) q_c, with
    u = P(c not in S | sketch). For the n classes in P but not in S the sketch teacher knows only
    their sum u: each gets u / n. With q~ defined this way, and p~ likewise, the score is <q~, p~>:
    encoders without training or needs.

    If P = S, u is not used, and the method equals `classifier-posterior`. `oracle` uses the true u,
    0 or 1: the gain that a better estimate could bring.
    """

    name = "open-posterior"
    title = "Open Posterior (ours)"
    version = 1
    Config = OpenPosteriorConfig
    config: OpenPosteriorConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "entropy": {"unknown": "entropy"},
        "features": {"features": 0.3},
        "oracle": {"oracle": True},
    }

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        asked = isinstance(config, OpenPosteriorConfig) and config.oracle
        return frozenset({Need.KNOWN_CLASS_ORACLE} if asked else ())

    def fit(self, setting: Setting) -> Encoders:
        self._check_features(setting)
        return Encoders(self._encoder(setting, "photo"), self._encoder(setting, "sketch"), "inner")

    def _check_features(self, setting: Setting) -> None:
        dims = {m: setting.teacher(m).network.backbone.feature_dim for m in MODALITIES}
        if self.config.features and len(set(dims.values())) > 1:
            raise InvalidConfig(
                f"features={self.config.features} with teachers whose features have widths {dims}; "
                "allowed: teachers of one feature width; here: --set features=0"
            )

    def _encoder(self, setting: Setting, modality: Modality) -> nn.Module:
        teacher, classes = setting.teacher(modality), setting.classes
        columns = [classes.index(name) for name in teacher.classes]
        others = [place for place in range(len(classes)) if place not in columns]
        union = OpenUnion(
            columns,
            others if not self.config.oracle else (),
            len(classes),
            temperature=self.config.temperature,
            unknown=self.config.unknown,
        )
        known = self._over(teacher, union)
        if not self.config.oracle:
            return known
        unknown = self._over(teacher, AllUnknown(others, len(classes))) if others else known
        return setting.by_knowledge(known, unknown)

    def _over(self, teacher: Teacher, union: nn.Module) -> nn.Module:
        weight = self.config.features
        return WithFeatures(teacher, union, weight) if weight else OverTeacher(teacher, union)
