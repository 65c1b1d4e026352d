"""Zero-shot reference after Tursun et al. 2022: a reconstruction from the paper's abstract.

Tursun, Denman, Sridharan, Goan, Fookes: "An Efficient Framework for Zero-Shot Sketch-Based Image
Retrieval", Pattern Recognition 126, 2022. Its text, formulas and code were not available to us: the
three objectives are those named in its abstract; everything else (margin, temperature, weights,
sampling) is ours, so these numbers are not comparable with theirs.

One network for photos and sketches starts from the initial classifier (of ImageNet's or the
alternative classes) and is trained on the teachers' own training images with their labels. With
unit embeddings e and features f, L = L_quad + L_cls + L_sem:

- L_quad, domain-balanced quadruplets: anchor, positive of the other modality, and a semi-hard
  negative of either modality (`dfbench.learning.objectives.triplet`);
- L_cls, semantic classification: cross-entropy of one linear classifier over the seen classes,
  shared by both modalities, on the projections that are normalised to e;
- L_sem, semantic knowledge preservation: KL(s_c || softmax(h(f) / T)), h being the frozen head of
  the initial classifier. The target s_c of a class is computed once, before training: the mean of
  softmax(h(f) / T) over its training photos. No teacher is evaluated during training, and no word
  embeddings are used. A class without photos has no target.

Photos and sketches pass through the network in one batch, whose statistics its normalisation uses
in training, and the whole network is trained at the full rate: it starts from other classes, not
from a teacher of these. Steps, batch, optimiser and width are those of the budget.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.datasets import Modality
from dfbench.learning.batches import to_unit
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.learning.objectives.triplet import class_semantics
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting
from dfbench_baselines.quadruplet_network import Descent, OneNetwork, QuadrupletConfig

_BATCH = 500
_LOG_EVERY = 10


class Quadruplet(Method):
    """The method `quadruplet`."""

    name = "quadruplet"
    title = "Quadruplet (reconstruction)"
    version = 1
    Config = QuadrupletConfig
    config: QuadrupletConfig

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        del config
        return frozenset({Need.TRAINING_DATA, Need.INITIAL_CLASSIFIER})

    def fit(self, setting: Setting) -> Encoders:
        photos, sketches = _classed(setting, "photo"), _classed(setting, "sketch")
        pairs = ClassPairs(photos, sketches, setting.generator("pairs"))
        network = OneNetwork(setting, self.config, _class_targets(setting, photos, self.config))
        descent = Descent(network, setting)
        loop = setting.loop("one network", setting.budget.steps, {**descent.state, **pairs.state()})
        for _ in loop:
            batch = pairs.draw_labelled(setting.budget.batch_size, len(setting.classes))
            losses = descent.step(batch)
            loop.watch(losses)
            loop.log(_LOG_EVERY, losses)
        return network.encoders()


def _classed(setting: Setting, modality: Modality) -> ClassedImages:
    images, labels = setting.training_images(modality)
    return ClassedImages(images, labels.to(setting.device))


@torch.no_grad()
def _class_targets(setting: Setting, photos: ClassedImages, config: QuadrupletConfig) -> Tensor:
    """s_c `[C, K]` of the initial classifier, from all training photos without augmentation."""
    initial = setting.initial_classifier("photo")
    posteriors = [
        (initial(to_unit(batch.to(setting.device))).logits / config.temperature).softmax(dim=1)
        for batch in torch.split(photos.images, _BATCH)
    ]
    return class_semantics(torch.cat(posteriors), photos.classes, len(setting.classes))
