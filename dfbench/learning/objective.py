"""The interface of objectives: a loss over photos and sketches, and class logits.

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
from dfbench.learning.metric_losses import SharedProxies
from dfbench.modality import Modality


class View(NamedTuple):
    """A batch of one modality, encoded."""

    features: Tensor
    """`[B, F]`, output of the backbone."""
    projections: Tensor
    """`[B, D]`, output of the encoder's head."""
    embeddings: Tensor
    """`[B, D]`, projections on the unit sphere, compared in retrieval."""
    posteriors: Tensor
    """`[B, C]`, soft or one-hot labels; a row sums to 1."""


class Space(NamedTuple):
    """Dimensions and settings for which an objective is made."""

    class_count: int
    """C, number of classes of the union."""
    feature_dims: tuple[int, int]
    """F of the photo and of the sketch encoder's backbone."""
    budget: Budget
    """Embedding dimension D, length and constants of the training."""
    exclusive: tuple[int, ...] = ()
    """Indices of the classes known to only one of the two teachers."""


class Objective(nn.Module, ABC):
    """A loss to minimise; its parameters are trained with those of the encoders."""

    @abstractmethod
    def loss(self, photo: View, sketch: View) -> Tensor:
        """The scalar loss of a batch of pairs; advances queues and schedules by one step."""

    @abstractmethod
    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        """Class logits `[B, C]` of unit embeddings of a modality."""


class Probed(Objective):
    """An objective without class proxies, whose classes are read by a probe.

    The probe consists of shared proxies trained on detached embeddings, so it does not shape the
    space. Its proxies start with unit length: those of a metric loss are longer and turn slowly,
    since embeddings move towards them, whereas probes must move all the way.
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
