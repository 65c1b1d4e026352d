"""Class-conditional estimation of pairs: both estimators are told which class to make.

Sampled targets instead of the teachers' own decisions are what data-free distillation uses since
DeepInversion (Yin et al., CVPR 2020) and CMI (Fang et al., IJCAI 2021); here one class is given to
both estimators, so that a pair is of one class by construction: neither alignment nor the entropy
of the batch is needed.
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
    """Estimators of noise and a class y, a learned embedding that both share.

    The teachers' certainty (`one_hot`) is their cross-entropy with y. All classes of the union are
    given equally often; the estimator whose teacher does not know y is given another class
    instead: one that only this teacher knows, or any of its own.
    """

    def __init__(self, setting: Setting, config: EstimationConfig, judge: nn.Module | None) -> None:
        super().__init__(setting, config, judge, input_dim=2 * config.latent_dim)
        self.embedding = setting.new_module(
            "class embedding", lambda: nn.Embedding(len(setting.classes), config.latent_dim)
        )
        self._optimiser.add_param_group({"params": self.embedding.parameters()})
        self._stand_ins = {m: _stand_ins(setting, m) for m in MODALITIES}
        self._indices = {m: _indices(setting, m) for m in MODALITIES}
        self.external: dict[Modality, Tensor] = {}
        """`[B]` each: the classes of the union that the last images were made of."""

    def draw(self) -> tuple[Tensor, Tensor]:
        noise, _ = super().draw()
        classes = balanced_classes(len(noise), self.embedding.num_embeddings, self._random)
        self.external = {m: self._stand_ins[m][classes] for m in MODALITIES}
        photo, sketch = (
            torch.cat([noise, self.embedding(self.external[m])], dim=1) for m in MODALITIES
        )
        return photo, sketch

    def uncertainty(self, modality: Modality, logits: Tensor) -> Tensor:
        return functional.cross_entropy(logits, self._indices[modality][self.external[modality]])


def balanced_classes(count: int, class_count: int, generator: torch.Generator) -> Tensor:
    """`[count]` classes in turn from a random one on: no class occurs twice more than another."""
    device = generator.device
    first = torch.randint(class_count, (1,), generator=generator, device=device)
    return (first + torch.arange(count, device=device)) % class_count


def _stand_ins(setting: Setting, modality: Modality) -> Tensor:
    """`[C]`: for every class of the union itself, or one of those that this teacher alone knows."""
    known = setting.teacher(modality).classes
    alone = [name for name in known if name not in setting.common_classes]
    others = cycle(alone or known)
    names = [name if name in known else next(others) for name in setting.classes]
    return torch.tensor([setting.classes.index(name) for name in names], device=setting.device)


def _indices(setting: Setting, modality: Modality) -> Tensor:
    """`[C]`: a teacher's index of every class of the union, -1 where it knows none."""
    known = setting.teacher(modality).classes
    places = [known.index(name) if name in known else -1 for name in setting.classes]
    return torch.tensor(places, device=setting.device)
