"""Data-dependent references: what the same encoders learn from real photo-sketch pairs.

A photo and a sketch of one class are a pair; classes occur equally often, labels are the true
ones. Encoders, their start, steps, batch and augmentation are those of every row that trains; the
rows differ in their objective only:

- `siamese`: contrastive loss (Hadsell et al. 2006);
- `triplet`: semi-hard triplets (Schroff et al. 2015);
- `mib`: multi-view information bottleneck (Federici et al. 2020);
- `crossx-data`: the metric loss of CrossX-DFL (Chaudhuri et al. 2023).

`siamese[generated]`, `triplet[generated]` and `mib[generated]` are the same objectives without
data: pairs are those that the row `crossx` generated, labelled by the teachers view by view. The
hard decisions of both teachers then stand for classes, so that a pair on which they disagree is no
positive. What `crossx-data` is without data is `crossx` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from dfbench.datasets import MODALITIES
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.learning.loop import RandomState
from dfbench.learning.objective import Objective
from dfbench.learning.objectives.mib import MultiViewBottleneck
from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.objectives.siamese import Contrastive
from dfbench.learning.objectives.triplet import SemiHardTriplet
from dfbench.learning.students import Students
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting


def learn_from_training_pairs(setting: Setting, students: Students) -> None:
    """Teach students the teachers' own training images with their true labels."""
    photos, sketches = (
        ClassedImages(images, labels.to(setting.device))
        for images, labels in map(setting.training_images, MODALITIES)
    )
    pairs = ClassPairs(photos, sketches, setting.generator("pairs"))
    count, class_count = setting.budget.batch_size, len(setting.classes)
    setting.teach(students, lambda: pairs.draw_labelled(count, class_count), pairs.state())


def learn_from_generated_pairs(setting: Setting, students: Students) -> None:
    """Teach students the pairs that another row generated."""
    pool, draws = setting.generated_pairs(), setting.generator("pairs")
    state = {"pairs": RandomState(draws)}
    setting.teach(students, lambda: pool.sample(setting.budget.batch_size, draws), state)


class Reference(Method):
    """An objective upon real pairs."""

    objective: ClassVar[type[Objective]]

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        del config
        return frozenset({Need.TRAINING_DATA})

    def fit(self, setting: Setting) -> Encoders:
        students = setting.new_students(self.objective)
        self.teach(setting, students)
        return students.encoders()

    def teach(self, setting: Setting, students: Students) -> None:
        """Let the students learn from the pairs of this row."""
        learn_from_training_pairs(setting, students)


class ReferenceConfig(MethodConfig):
    """Settings of an objective that exists with and without data."""

    images: Literal["training", "generated"] = "training"
    """Real pairs of the teachers' training images, or the pairs that `crossx` generated."""


class TwofoldReference(Reference):
    """An objective upon real pairs and, as the variant `generated`, upon generated ones."""

    Config = ReferenceConfig
    config: ReferenceConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"generated": {"images": "generated"}}

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        if cls.pairs_of(config):
            return frozenset({Need.GENERATED_PAIRS})
        return super().needs(config)

    @classmethod
    def pairs_of(cls, config: MethodConfig) -> str | None:
        generated = isinstance(config, ReferenceConfig) and config.images == "generated"
        return "crossx" if generated else None

    def teach(self, setting: Setting, students: Students) -> None:
        if self.config.images == "generated":
            learn_from_generated_pairs(setting, students)
        else:
            super().teach(setting, students)


class Siamese(TwofoldReference):
    """The row `siamese`."""

    name = "siamese"
    title = "Siamese"
    version = 1
    objective = Contrastive


class Triplet(TwofoldReference):
    """The row `triplet`."""

    name = "triplet"
    title = "Triplet"
    version = 1
    objective = SemiHardTriplet


class MIB(TwofoldReference):
    """The row `mib`."""

    name = "mib"
    title = "MIB"
    version = 2
    objective = MultiViewBottleneck


class CrossXData(Reference):
    """The row `crossx-data`."""

    name = "crossx-data"
    title = "CrossX (real pairs)"
    version = 1
    objective = QueueAndProxies
