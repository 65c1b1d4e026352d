"""Class-conditional estimation of pairs: both estimators are given the class to generate.

Sampled targets instead of the teachers' own predictions are usual in data-free distillation since
DeepInversion (Yin et al., CVPR 2020) and CMI (Fang et al., IJCAI 2021). Here both estimators get
the same class, so that a pair is of one class by construction: neither alignment nor the entropy of
the batch is needed.
"""

from __future__ import annotations

from itertools import cycle

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.datasets import MODALITIES, Modality
from dfbench.method import Setting
from dfbench_baselines.crossx_config import EstimationConfig
from dfbench_baselines.pair_estimators import PairEstimators


class ConditionalEstimators(PairEstimators):
    """Estimators with noise and a class y as inputs, y by a learned embedding shared by both.

    The teachers' certainty (`one_hot`) is their cross-entropy with y. All classes of the union
    occur equally often; an estimator whose teacher does not know y gets another class instead: one
    known only to this teacher, or else any of its own.
    """

    def __init__(self, setting: Setting, config: EstimationConfig, judge: nn.Module | None) -> None:
        super().__init__(setting, config, judge, input_dim=2 * config.latent_dim)
        self.embedding = setting.new_module(
            "class embedding", lambda: nn.Embedding(len(setting.classes), config.latent_dim)
        )
        self._optimiser.add_param_group({"params": self.embedding.parameters()})
        self._stand_ins = {m: _stand_ins(setting, m) for m in MODALITIES}
        self._indices = {m: _indices(setting, m) for m in MODALITIES}
        self.drawn_classes: dict[Modality, Tensor] = {}
        """The classes `[B]` of the union for which the last images were generated."""

    def draw(self) -> tuple[Tensor, Tensor]:
        noise, _ = super().draw()
        classes = balanced_classes(len(noise), self.embedding.num_embeddings, self._random)
        self.drawn_classes = {m: self._stand_ins[m][classes] for m in MODALITIES}
        photo, sketch = (
            torch.cat([noise, self.embedding(self.drawn_classes[m])], dim=1) for m in MODALITIES
        )
        return photo, sketch

    def uncertainty(self, modality: Modality, logits: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits, self._indices[modality][self.drawn_classes[modality]]
        )


def balanced_classes(count: int, class_count: int, generator: torch.Generator) -> Tensor:
    """`[count]` classes in cyclic order from a random start, so that counts differ by at most 1."""
    device = generator.device
    first = torch.randint(class_count, (1,), generator=generator, device=device)
    return (first + torch.arange(count, device=device)) % class_count


def _stand_ins(setting: Setting, modality: Modality) -> Tensor:
    """`[C]`: for each class of the union itself, or a class known only to this teacher."""
    known = setting.teacher(modality).classes
    alone = [name for name in known if name not in setting.common_classes]
    others = cycle(alone or known)
    names = [name if name in known else next(others) for name in setting.classes]
    return torch.tensor([setting.classes.index(name) for name in names], device=setting.device)


def _indices(setting: Setting, modality: Modality) -> Tensor:
    """`[C]`: a teacher's index of each class of the union; -1 for classes it does not know."""
    known = setting.teacher(modality).classes
    places = [known.index(name) if name in known else -1 for name in setting.classes]
    return torch.tensor(places, device=setting.device)
