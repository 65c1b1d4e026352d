"""Gaussian prior: the students learn from noise that their teachers label.

The row "Normal distribution" of data-free learning (Chen et al., "Data-Free Learning of Student
Networks", ICCV 2019, table 1): x ~ N(0, I) in the space of a teacher's normalised inputs. No
generator, no optimisation, and nothing clamped to [0, 1]. It says what the teachers' answers alone
are worth, without images that look like anything.

Ours, where the source deals with one teacher only:

- noise is drawn afresh at every step, several times more than the batch takes; photo and sketch
  noise of one decision are a pair, and the classes that occur in a batch occur equally often. How
  often the teachers decide for each class is left beside the run (`noise-decisions.json`);
- soft labels, views and metric loss are those of every row that trains.

Encoders that start from their teachers with frozen statistics bring most of what this row scores
with them; `gaussian-prior[random-init]` is what the noise alone teaches.
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
    """Noise images drawn for each one that a batch takes, so that rare decisions occur too."""
    encoder_init: Literal["teacher", "random"] | None = None
    """Where encoders start from; None: as the budget says."""


class GaussianPrior(Method):
    """The row `gaussian-prior`."""

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
    """Pairs of noise to which the two teachers give one class."""

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
        """What a checkpoint has to hold."""
        return {"decisions": self, "noise": RandomState(self._random)}

    def draw(self) -> Pairs:
        """A batch of pairs of fresh noise, balanced over the classes that occur.

        Which ones do, the host has to be told: a step of this row waits for the device once.
        """
        photos, photo_classes = self._labelled("photo")
        sketches, sketch_classes = self._labelled("sketch")
        rows = ClassBalance(photo_classes, sketch_classes).draw(self._count, self._random)
        return Pairs(photos[rows[0]], sketches[rows[1]])

    def show(self) -> None:
        """Leave how often each class was decided for, and a picture of a batch, beside the run."""
        told = {
            modality: dict(zip(self._setting.classes, counts, strict=True))
            for modality, counts in zip(MODALITIES, self.decisions.tolist(), strict=True)
        }
        self._setting.artefacts.save_json("noise-decisions", told)
        shown = [images[:_COLUMNS] for images in self.draw()[:2]]
        self._setting.artefacts.save_grid("noise-pairs", torch.cat(shown), _COLUMNS)

    def _labelled(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """Noise as images `[N, 3, H, W]` of a modality, and the class its teacher decides for."""
        size = self._setting.image_size
        shape = (self._candidates, 3, size, size)
        noise = torch.randn(shape, generator=self._random, device=self._random.device)
        images = self._setting.normaliser(modality).inverse(noise)
        classes = self._setting.label(modality, images).argmax(dim=1)
        known = self.decisions[MODALITIES.index(modality)]
        known.index_add_(0, classes, torch.ones_like(classes))
        return images, classes
