"""Gaussian prior: students are trained on noise labelled by their teachers.

The baseline "Normal distribution" of data-free learning (Chen et al., "Data-Free Learning of
Student Networks", ICCV 2019, table 1): x ~ N(0, I) in the space of a teacher's normalised inputs,
without generator or optimisation, and not clamped to [0, 1]. It measures the value of the teachers'
predictions alone, without realistic images.

Our additions, since the source has only one teacher:

- fresh noise is drawn at each step, several times the size of the batch; photo and sketch noise of
  one predicted class form a pair, and the classes that occur in a batch occur equally often. The
  frequency of each predicted class is written to the run's folder (`noise-decisions.json`);
- soft labels, views and metric loss are those of all trained methods.

Most of its score comes from encoders that start from their teachers with frozen statistics;
`gaussian-prior[random-init]` shows the effect of the noise alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.datasets import MODALITIES, Modality
from dfbench.learning.class_pairs import ClassBalance
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.pool import Pairs
from dfbench.method import Encoders, Method, MethodConfig, Setting

_COLUMNS = 16


class GaussianPriorConfig(MethodConfig):
    """Settings of the Gaussian prior."""

    candidates: int = Field(default=4, ge=1)
    """Number of noise images drawn for each one in a batch, so that rare classes occur too."""
    encoder_init: Literal["teacher", "random"] | None = None
    """Initialisation of encoders; None: as set by the budget."""


class GaussianPrior(Method):
    """The method `gaussian-prior`."""

    name = "gaussian-prior"
    title = "Gaussian Prior"
    version = 1
    Config = GaussianPriorConfig
    config: GaussianPriorConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "random-init": {"encoder_init": "random"}
    }

    def fit(self, setting: Setting) -> Encoders:
        students = setting.new_students(encoder_init=self.config.encoder_init)
        noise = LabelledNoise(setting, self.config.candidates)
        setting.teach(students, noise.draw, noise.state())
        noise.show()
        return students.encoders()


class LabelledNoise(nn.Module):
    """Pairs of noise for which both teachers predict one class."""

    decisions: Tensor

    def __init__(self, setting: Setting, candidates: int) -> None:
        super().__init__()
        self._setting = setting
        self._random = setting.generator("noise")
        self._count = setting.budget.batch_size
        self._candidates = candidates * self._count
        decisions = torch.zeros(len(MODALITIES), len(setting.classes), dtype=torch.long)
        self.register_buffer("decisions", decisions.to(setting.device))

    def state(self) -> dict[str, Stateful]:
        """State for checkpoints."""
        return {"decisions": self, "noise": RandomState(self._random)}

    def draw(self) -> Pairs:
        """A batch of pairs of fresh noise, balanced over the classes that occur.

        The host needs to know these classes, so each step waits for the device once.
        """
        photos, photo_classes = self._labelled("photo")
        sketches, sketch_classes = self._labelled("sketch")
        rows = ClassBalance(photo_classes, sketch_classes).draw(self._count, self._random)
        return Pairs(photos[rows[0]], sketches[rows[1]])

    def show(self) -> None:
        """Write the frequency of each predicted class, and a picture of a batch."""
        told = {
            modality: dict(zip(self._setting.classes, counts, strict=True))
            for modality, counts in zip(MODALITIES, self.decisions.tolist(), strict=True)
        }
        self._setting.artefacts.save_json("noise-decisions", told)
        shown = [images[:_COLUMNS] for images in self.draw()[:2]]
        self._setting.artefacts.save_grid("noise-pairs", torch.cat(shown), _COLUMNS)

    def _labelled(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """Noise as images `[N, 3, H, W]` of a modality, and the classes its teacher predicts."""
        size = self._setting.image_size
        shape = (self._candidates, 3, size, size)
        noise = torch.randn(shape, generator=self._random, device=self._random.device)
        images = self._setting.normaliser(modality).inverse(noise)
        classes = self._setting.label(modality, images).argmax(dim=1)
        known = self.decisions[MODALITIES.index(modality)]
        known.index_add_(0, classes, torch.ones_like(classes))
        return images, classes
