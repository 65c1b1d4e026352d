"""The contract of an objective: a loss of photos and sketches seen together, and class logits.

Notation of all objectives: photos have unit embeddings `e` [B, D] and posteriors `p` [B, C] over
the union of classes, sketches `k` and `q`. Row i of photos and of sketches is one pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.budget import Budget
from dfbench.learning.metric import SharedProxies
from dfbench.modality import Modality


class View(NamedTuple):
    """A batch of one modality as its encoder sees it."""

    features: Tensor
    """`[B, F]`, output of the backbone."""
    projections: Tensor
    """`[B, D]`, output of the encoder's head."""
    embeddings: Tensor
    """`[B, D]`, projections on the unit sphere: what retrieval compares."""
    posteriors: Tensor
    """`[B, C]`, soft or one-hot labels; a row sums to 1."""


class Space(NamedTuple):
    """What an objective is made for."""

    class_count: int
    """C, classes of the union."""
    feature_dims: tuple[int, int]
    """F of the photo and of the sketch encoder's backbone."""
    budget: Budget
    """Width D, length and constants of the training."""
    exclusive: tuple[int, ...] = ()
    """Indices of the classes that only one of the two teachers knows."""


class Objective(nn.Module, ABC):
    """A loss to minimise; its parameters are trained with the encoders'."""

    @abstractmethod
    def loss(self, photo: View, sketch: View) -> Tensor:
        """A scalar of one batch of pairs; queues and schedules then move on by one step."""

    @abstractmethod
    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        """Logits `[B, C]` of unit embeddings of a modality."""


class Probed(Objective):
    """An objective without class proxies: a probe reads classes from its embeddings.

    The probe is shared proxies trained on detached embeddings, so that it tells the classes of a
    space without shaping it. Its proxies start with unit length: those of a metric loss are longer
    and turn slowly, because embeddings come to meet them; a probe has to go all the way.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        budget = space.budget
        self.probe = SharedProxies(space.class_count, budget.embedding_dim, budget.proxy_scale)
        with torch.no_grad():
            self.probe.weight.copy_(functional.normalize(self.probe.weight, dim=1))

    @abstractmethod
    def metric(self, photo: View, sketch: View) -> Tensor:
        """The loss that shapes the space."""

    def loss(self, photo: View, sketch: View) -> Tensor:
        probed = self.probe.loss(photo.embeddings.detach(), photo.posteriors)
        probed = probed + self.probe.loss(sketch.embeddings.detach(), sketch.posteriors)
        return self.metric(photo, sketch) + probed

    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        del modality
        logits: Tensor = self.probe(embeddings)
        return logits
