"""The default metric loss of trained methods: soft two-way queue InfoNCE and shared proxies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dfbench.learning.metric_losses import (
    EmbeddingQueue,
    SharedProxies,
    info_nce,
    soft_pair_targets,
)
from dfbench.learning.objective import Objective, Space, View
from dfbench.modality import Modality

PairTargets = Callable[[Tensor, Tensor], Tensor]
"""Maps posteriors `[B, C]`, `[N, C]` to the weight `[B, N]` of each candidate as a positive."""


class QueueAndProxies(Objective):
    """queue_weight (InfoNCE(e -> k) + InfoNCE(k -> e)) + proxy_weight (KL(p||s) + KL(q||s)).

    Candidates of InfoNCE are the other modality's batch and queue (Chaudhuri et al. 2023: a queue
    for each modality). With a `proxy_weight` of 0 the proxies are a probe: they are trained on
    detached embeddings and do not shape them.

    An image of a class known only to its own teacher has no positive in the other modality,
    whatever the tail of its posterior: it only is a candidate for others and trains its proxy.
    """

    exclusive: Tensor

    def __init__(
        self,
        space: Space,
        *,
        pair_targets: PairTargets = soft_pair_targets,
        queue_weight: float = 1.0,
        proxy_weight: float = 1.0,
    ) -> None:
        super().__init__()
        budget = space.budget
        sizes = (budget.queue_size, budget.embedding_dim, space.class_count)
        self.proxies = SharedProxies(space.class_count, budget.embedding_dim, budget.proxy_scale)
        self.photo_queue = EmbeddingQueue(*sizes)
        self.sketch_queue = EmbeddingQueue(*sizes)
        self._temperature = budget.temperature
        self._targets = pair_targets
        self._weights = (queue_weight, proxy_weight)
        exclusive = torch.tensor(space.exclusive, dtype=torch.long)
        self.register_buffer("exclusive", exclusive, persistent=False)

    def loss(self, photo: View, sketch: View) -> Tensor:
        e, p = photo.embeddings, photo.posteriors
        k, q = sketch.embeddings, sketch.posteriors
        queue_weight, proxy_weight = self._weights
        contrast = self._contrast(e, p, k, q, self.sketch_queue)
        contrast = contrast + self._contrast(k, q, e, p, self.photo_queue)
        self.photo_queue.write(e, p)
        self.sketch_queue.write(k, q)
        if not proxy_weight:
            e, k, proxy_weight = e.detach(), k.detach(), 1.0
        proxy = self.proxies.loss(e, p) + self.proxies.loss(k, q)
        return queue_weight * contrast + proxy_weight * proxy

    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        del modality
        logits: Tensor = self.proxies(embeddings)
        return logits

    def _contrast(
        self, anchors: Tensor, p: Tensor, keys: Tensor, q: Tensor, queue: EmbeddingQueue
    ) -> Tensor:
        old_keys, old_q = queue.read()
        targets = self._targets(p, torch.cat([q, old_q]))
        if len(self.exclusive):
            alone = torch.isin(p.argmax(dim=1), self.exclusive)
            targets = targets.masked_fill(alone.unsqueeze(1), 0)
        return info_nce(anchors, torch.cat([keys, old_keys]), targets, self._temperature)
