"""Zero-Shot Knowledge Distillation: students are trained on data impressions of the teachers.

Nayak, Mopuri, Shaj, Babu and Chakraborty, "Zero-Shot Knowledge Distillation in Deep Networks",
ICML 2019. For each class k of a teacher T with last-layer weights w:

1. class similarity C(k, l) = w_k . w_l / (|w_k| |w_l|), each row scaled to [0, 1];
2. answers y ~ Dir(beta C(k)), half of them with beta = 1 and half with beta = 0.1;
3. data impressions x = argmin CE(y, softmax(T(x) / tau)), from uniform noise, by Adam.

Our additions, since the paper has only one teacher and a student of its classes:

- photo and sketch impressions of one class k form a pair, all classes equally often;
- students, their views and the loss are those of all trained methods, so teachers label each view
  at temperature 1 instead of the paper's distillation at tau;
- fewer impressions and steps: 2 x 20 classes x 50 impressions x 200 steps take minutes on two
  cores. The paper's numbers are in `zskd[paper]`.

After each step an image is rescaled to fill [0, 1], as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

import dfbench
from dfbench.datasets import MODALITIES, Modality
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.learning.loop import Stateful
from dfbench.learning.pool import to_bytes

BETAS = (1.0, 0.1)
"""Scales of the concentration: for answers of many classes, and of few."""
_LEAST = 1e-4
"""Added to concentrations, which must be positive."""
_SHOWN = 8


class ZSKDConfig(dfbench.MethodConfig):
    """Settings of Zero-Shot Knowledge Distillation."""

    per_class: int = Field(default=50, ge=2)
    """Impressions per class and teacher."""
    steps: int = Field(default=200, ge=1)
    """Steps of Adam for each impression."""
    learning_rate: float = Field(default=0.01, gt=0)
    """Step size of Adam."""
    temperature: float = Field(default=20.0, gt=0)
    """Temperature tau of the teachers' answers to impressions."""
    chunk: int = Field(default=250, ge=1)
    """Impressions optimised at once; limits the memory."""


class ZSKD(dfbench.Method):
    """Trains students on the data impressions of both teachers."""

    name = "zskd"
    title = "ZSKD"
    version = 1
    Config = ZSKDConfig
    config: ZSKDConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"per_class": 2000, "steps": 1500, "learning_rate": 0.001}
    }

    def fit(self, setting: dfbench.Setting) -> dfbench.Encoders:
        """Optimise impressions of all classes, then train the students on pairs of them."""
        photos, sketches = (self._impressions(setting, modality) for modality in MODALITIES)
        pairs = ClassPairs(photos, sketches, setting.generator("pairs"))
        shown = pairs.draw(_SHOWN)
        setting.artefacts.save_grid("impressions", torch.cat(shown), columns=_SHOWN)
        students = setting.new_students()
        setting.teach(students, lambda: pairs.draw(setting.budget.batch_size), pairs.state())
        return students.encoders()

    def _impressions(self, setting: dfbench.Setting, modality: Modality) -> ClassedImages:
        """Impressions of all classes of a teacher, `per_class` of each."""
        teacher = setting.teacher(modality)
        answers, classes = self._answers(setting, modality)
        answers = answers.to(setting.device)
        canvas = setting.new_module(
            f"{modality} canvas", lambda: Canvas(len(answers), setting.image_size)
        )
        optimiser = torch.optim.Adam(canvas.parameters(), self.config.learning_rate)
        state: dict[str, Stateful] = {"canvas": canvas, "optimiser": optimiser}
        loop = setting.loop(f"{modality} impressions", self.config.steps, state)
        for _ in loop:
            optimiser.zero_grad()
            total = torch.zeros((), device=setting.device)
            rows = torch.arange(len(answers), device=setting.device)
            for chunk in torch.split(rows, self.config.chunk):
                logits = teacher(canvas.images[chunk]).logits / self.config.temperature
                loss = functional.cross_entropy(logits, answers[chunk], reduction="sum")
                torch.autograd.backward(loss)
                total += loss.detach()
            optimiser.step()
            canvas.rescale()
            loop.watch({"cross-entropy": total})
            loop.log(10, {"cross-entropy": total / len(answers)})
        return ClassedImages(to_bytes(canvas.images), classes.to(setting.device))

    def _answers(self, setting: dfbench.Setting, modality: Modality) -> tuple[Tensor, Tensor]:
        """Answers `[N, C]` over a teacher's classes, and the class of each in `setting.classes`."""
        teacher = setting.teacher(modality)
        similarity = class_similarity(teacher.network.head.weight.detach().cpu())
        beta = torch.tensor(BETAS).repeat(self.config.per_class)[: self.config.per_class]
        concentration = beta.view(1, -1, 1) * similarity.unsqueeze(1) + _LEAST
        with setting.seeded(f"{modality} answers"):
            answers = torch.distributions.Dirichlet(concentration).sample()
        union = torch.tensor([setting.classes.index(name) for name in teacher.classes])
        return answers.flatten(0, 1), union.repeat_interleave(self.config.per_class)


class Canvas(nn.Module):
    """Optimised images `[N, 3, size, size]` in [0, 1]; initially uniform noise."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.images = nn.Parameter(torch.rand(count, 3, size, size))

    @torch.no_grad()
    def rescale(self) -> None:
        """Stretch each image to fill [0, 1]."""
        low = self.images.amin(dim=(1, 2, 3), keepdim=True)
        high = self.images.amax(dim=(1, 2, 3), keepdim=True)
        self.images.sub_(low).div_((high - low).clamp(min=1e-8))


def class_similarity(weights: Tensor) -> Tensor:
    """C `[K, K]` of last-layer weights `[K, D]`: cosines, each row scaled to [0, 1]."""
    unit = functional.normalize(weights, dim=1)
    cosines = unit @ unit.T
    low, high = cosines.amin(dim=1, keepdim=True), cosines.amax(dim=1, keepdim=True)
    return (cosines - low) / (high - low).clamp(min=1e-8)
