"""Alternative data: students are trained on real photos and sketches of other classes.

The baseline "Alternative data" of data-free learning (Chen et al., "Data-Free Learning of Student
Networks", ICCV 2019, table 1; Nayak et al., "Effectiveness of Arbitrary Transfer Sets for Data-free
Knowledge Distillation", WACV 2021). Images are unlabelled, of classes unknown to both teachers; the
teacher's softmax is their soft label, its argmax their pseudo-class.

Our additions, since the sources have only one teacher:

- photo and sketch of one pseudo-class form a pair; the teachers' classes occur equally often
  ("target-class balanced" sets are what makes arbitrary images work, Nayak et al.), and the images
  of a rare class are repeated, in a new view each time. The number of images of each class is
  written to the run's folder (`pseudo-classes.json`);
- the label is the teacher's posterior of the view that the student sees, at temperature 1, as in
  all trained methods: a softened label would blur the probability of a common class on which the
  shared metric loss is based.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.datasets import MODALITIES, Modality
from dfbench.learning.batches import to_unit
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting

_LABEL_BATCH = 500


class AlternativeData(Method):
    """The method `alternative-data`."""

    name = "alternative-data"
    title = "Alternative Data"
    version = 1

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        del config
        return frozenset({Need.ALTERNATIVE_DATA})

    def fit(self, setting: Setting) -> Encoders:
        students = setting.new_students()
        photos, sketches = pseudo_labelled(setting, "photo"), pseudo_labelled(setting, "sketch")
        pairs = ClassPairs(photos, sketches, setting.generator("pairs"))
        setting.artefacts.save_json(
            "pseudo-classes",
            {
                modality: _counts(setting, source.classes)
                for modality, source in zip(MODALITIES, (photos, sketches), strict=True)
            },
        )
        setting.teach(students, lambda: pairs.draw(setting.budget.batch_size), pairs.state())
        return students.encoders()


def pseudo_labelled(setting: Setting, modality: Modality) -> ClassedImages:
    """All alternative images of a modality, each with the class predicted by the teacher."""
    images = setting.alternative_images(modality)
    decisions = [
        setting.label(modality, to_unit(batch.to(setting.device))).argmax(dim=1)
        for batch in torch.split(images, _LABEL_BATCH)
    ]
    return ClassedImages(images, torch.cat(decisions))


def _counts(setting: Setting, classes: Tensor) -> dict[str, int]:
    counts = classes.bincount(minlength=len(setting.classes)).tolist()
    return dict(zip(setting.classes, counts, strict=True))
