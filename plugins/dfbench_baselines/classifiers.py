"""The two teachers without any training: three representations of a classifier.

Features of two networks are comparable only as far as both come from one initialisation; logits and
posteriors share the axes of the classes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from dfbench.method import Method, MethodConfig, Setting
from dfbench.networks import Centred, Encoders, OverUnion, SoftmaxAt
from dfbench.teachers import Teacher


class Features(nn.Module):
    """Penultimate features `[B, D]` of a teacher."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.teacher(images).features
        return features

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        return self.teacher.network.normaliser, self.teacher.network.backbone


class CentredLogits(nn.Module):
    """Logits `[B, C]` of a teacher over the union of classes, minus their mean.

    A class that the teacher does not know has the centred logit 0.
    """

    def __init__(self, setting: Setting, modality: Literal["photo", "sketch"]) -> None:
        super().__init__()
        self.teacher = setting.teacher(modality)
        self.columns = [setting.classes.index(name) for name in self.teacher.classes]
        self.class_count = len(setting.classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.teacher(images).logits
        centred = logits - logits.mean(dim=1, keepdim=True)
        union = centred.new_zeros(len(centred), self.class_count)
        union[:, self.columns] = centred
        return union

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        union = OverUnion(self.columns, self.class_count)
        return *_classifier(self.teacher), Centred(), union


class Posterior(nn.Module):
    """A teacher's class posterior `[B, C]` over the union of classes, at a temperature."""

    def __init__(
        self, setting: Setting, modality: Literal["photo", "sketch"], temperature: float
    ) -> None:
        super().__init__()
        self.teacher = setting.teacher(modality)
        self.modality = modality
        self.temperature = temperature
        self.columns = [setting.classes.index(name) for name in self.teacher.classes]
        self.class_count = len(setting.classes)
        self._posterior = setting.posterior

    def forward(self, images: Tensor) -> Tensor:
        return self._posterior(self.modality, self.teacher(images).logits / self.temperature)

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        union = OverUnion(self.columns, self.class_count)
        return *_classifier(self.teacher), SoftmaxAt(self.temperature), union


def _classifier(teacher: Teacher) -> tuple[nn.Module, ...]:
    """The parts that compute the logits of images."""
    return teacher.network.normaliser, teacher.network.backbone, teacher.network.head


class ClassifierOnly(Method):
    """Cosine of penultimate features: the simplest representation of the published baseline."""

    name = "classifier-only"
    title = "Classifier Only"
    version = 1

    def fit(self, setting: Setting) -> Encoders:
        return Encoders(Features(setting.photo_teacher), Features(setting.sketch_teacher), "cosine")


class ClassifierLogits(Method):
    """Cosine of centred logits: the axes agree, but noise of wrong classes dominates."""

    name = "classifier-logits"
    title = "Classifier Logits"
    version = 1

    def fit(self, setting: Setting) -> Encoders:
        return Encoders(CentredLogits(setting, "photo"), CentredLogits(setting, "sketch"), "cosine")


class PosteriorConfig(MethodConfig):
    """Settings of the posterior representation."""

    temperature: float = Field(default=1.0, gt=0)
    """Divides the logits before the softmax; teachers are trained at 1."""


class ClassifierPosterior(Method):
    """Inner product of class posteriors, sum_c p_c q_c.

    For calibrated teachers with independent errors it is the probability that sketch and photo
    share a class: the reference for all trained methods.
    """

    name = "classifier-posterior"
    title = "Classifier Posterior"
    version = 1
    Config = PosteriorConfig
    config: PosteriorConfig

    def fit(self, setting: Setting) -> Encoders:
        temperature = self.config.temperature
        return Encoders(
            Posterior(setting, "photo", temperature),
            Posterior(setting, "sketch", temperature),
            "inner",
        )
