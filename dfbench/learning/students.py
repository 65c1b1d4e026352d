"""The two encoders in training, shared by all trained methods."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.budget import Budget
from dfbench.learning.batches import crop_and_flip
from dfbench.learning.loop import RandomState, Stateful, descend, fused
from dfbench.learning.objective import Objective, View
from dfbench.learning.pool import LabelledPairs, Pairs
from dfbench.modality import Modality
from dfbench.networks import Encoder, Encoders, SoftmaxAt
from dfbench.networks.chain import UnwrittenEncoder

Labeller = Callable[[Modality, Tensor], Tensor]
"""Maps images of a modality to their teacher's posterior `[B, C]` over the union of classes."""


class Students(nn.Module):
    """A photo and a sketch encoder under an objective.

    All trained methods use this class with the same budget (`Setting.new_students`); they differ in
    their pairs, and some in their objective. Students see each image shifted and mirrored; unless
    a pair has labels, `label` computes the teachers' posteriors of exactly that view: "consistent
    teaching" (Beyer et al. 2022). `generator` draws the views.
    """

    def __init__(
        self,
        photo: Encoder,
        sketch: Encoder,
        objective: Objective,
        label: Labeller,
        budget: Budget,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.photo = photo
        self.sketch = sketch
        self.objective = objective
        self._label = label
        self._random = generator
        self._optimiser = torch.optim.AdamW(
            self._parameter_groups(budget),
            budget.learning_rate,
            weight_decay=budget.weight_decay,
            fused=fused(self.parameters()),
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimiser, max(budget.steps, 1)
        )

    def _parameter_groups(self, budget: Budget) -> list[dict[str, Any]]:
        """Heads and objective at the full rate; backbones from teachers at the budget's share."""
        groups: list[dict[str, Any]] = []
        for encoder in (self.photo, self.sketch):
            rate = budget.backbone_rate if encoder.frozen_statistics else 1.0
            parameters = list(encoder.backbone.parameters())
            groups.append({"params": parameters, "lr": rate * budget.learning_rate})
        inside = {id(parameter) for group in groups for parameter in group["params"]}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in inside]
        return [*groups, {"params": rest}]

    def state(self) -> dict[str, Stateful]:
        """State for checkpoints."""
        return {
            "students": self,
            "student optimiser": self._optimiser,
            "student schedule": self._schedule,
            "augmentation": RandomState(self._random),
        }

    def step(self, pairs: Pairs | LabelledPairs) -> Tensor:
        """Take one optimiser step on a batch of pairs; returns the loss, without waiting for it."""
        self.train()
        photos = crop_and_flip(pairs.photos, self._random)
        sketches = crop_and_flip(pairs.sketches, self._random)
        loss = self.loss(pairs._replace(photos=photos, sketches=sketches))
        descend(self._optimiser, loss)
        self._schedule.step()
        return loss.detach()

    def loss(self, pairs: Pairs | LabelledPairs) -> Tensor:
        """The objective on images without augmentation; advances it by one step."""
        if isinstance(pairs, LabelledPairs):
            p, q = pairs.p, pairs.q
        else:
            p, q = self._label("photo", pairs.photos), self._label("sketch", pairs.sketches)
        photo, sketch = self.photo.encode(pairs.photos), self.sketch.encode(pairs.sketches)
        return self.objective.loss(View(*photo, p), View(*sketch, q))

    def classify(self, modality: Modality, images: Tensor) -> Tensor:
        """The objective's class logits `[B, C]` for images without augmentation."""
        encoder = self.photo if modality == "photo" else self.sketch
        return self.objective.classify(modality, encoder(images))

    def encoders(self) -> Encoders:
        """The trained pair, with the class posterior as a second representation."""
        self.eval()
        posterior = Encoders(Posterior(self, "photo"), Posterior(self, "sketch"), "inner")
        return Encoders(self.photo, self.sketch, "cosine", {"posterior": posterior})


class Posterior(nn.Module):
    """A student's class posterior `[B, C]`: softmax of the objective's class logits."""

    def __init__(self, students: Students, modality: Modality) -> None:
        super().__init__()
        self.encoder = students.photo if modality == "photo" else students.sketch
        self.objective = students.objective
        self._modality: Modality = modality

    def forward(self, images: Tensor) -> Tensor:
        return self.objective.classify(self._modality, self.encoder(images)).softmax(dim=1)

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application; see `dfbench.networks.chain`.

        Raises `UnwrittenEncoder` if the objective's logits are not linear in the embeddings.
        """
        head = self.encoder.head
        classify = partial(self.objective.classify, self._modality)
        classifier = _linear(classify, head.weight.new_zeros(head.out_features))
        return *self.encoder.as_parts(), classifier, SoftmaxAt()


_PROBES = 32
_TOLERANCE = 1e-4


@torch.no_grad()
def _linear(classify: Callable[[Tensor], Tensor], zero: Tensor) -> nn.Linear:
    """The linear layer that computes the logits `classify` of embeddings `[B, D]`.

    `zero` `[D]` is on their device. Raises `UnwrittenEncoder` if there is none.
    """
    bias = classify(zero[None])[0]
    weight = (classify(torch.eye(len(zero), device=zero.device)) - bias).T
    random = torch.Generator().manual_seed(0)
    probes = functional.normalize(torch.randn(_PROBES, len(zero), generator=random), dim=1).to(zero)
    logits = classify(probes)
    away = (logits - functional.linear(probes, weight, bias)).abs().max()
    if not away <= _TOLERANCE * (1 + logits.abs().max()):
        raise UnwrittenEncoder("a class posterior whose logits are not linear in the embeddings")
    layer: nn.Linear = nn.Linear(len(zero), len(bias), device="meta").to_empty(device=zero.device)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
