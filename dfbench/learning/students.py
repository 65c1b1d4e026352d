"""The two encoders in training: the part that every row that trains shares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dfbench.budget import Budget
from dfbench.datasets.dataset import Modality
from dfbench.learning.augment import crop_and_flip
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.metric import EmbeddingQueue, SharedProxies, info_nce, soft_pair_targets
from dfbench.learning.pool import Pairs
from dfbench.networks import Encoder, Encoders

Labeller = Callable[[Modality, Tensor], Tensor]
"""From images of a modality to their teacher's posterior `[B, C]` over the union of classes."""
PairTargets = Callable[[Tensor, Tensor], Tensor]
"""From posteriors `[B, C]`, `[N, C]` to the share `[B, N]` each candidate has as a positive."""


class Students(nn.Module):
    """A photo and a sketch encoder under the metric loss: two-way queue InfoNCE plus proxies.

    All rows that train use this class with the same budget (`Setting.new_students`); they differ
    in the pairs they give. Students see each image shifted and mirrored, and `label` gives the
    teachers' posteriors of exactly that view: "consistent teaching" (Beyer et al. 2022).
    `generator` draws the views.
    """

    def __init__(
        self,
        photo: Encoder,
        sketch: Encoder,
        proxies: SharedProxies,
        label: Labeller,
        budget: Budget,
        generator: torch.Generator,
        *,
        pair_targets: PairTargets = soft_pair_targets,
        queue_weight: float = 1.0,
        proxy_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.photo = photo
        self.sketch = sketch
        self.proxies = proxies
        sizes = (budget.queue_size, budget.embedding_dim, len(proxies.weight))
        self.photo_queue = EmbeddingQueue(*sizes).to(proxies.weight.device)
        self.sketch_queue = EmbeddingQueue(*sizes).to(proxies.weight.device)
        self._label = label
        self._budget = budget
        self._targets = pair_targets
        self._weights = (queue_weight, proxy_weight)
        self._random = generator
        self._optimiser = torch.optim.AdamW(
            self.parameters(), budget.learning_rate, weight_decay=budget.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimiser, max(budget.steps, 1)
        )

    def state(self) -> dict[str, Stateful]:
        """What a checkpoint has to hold."""
        return {
            "students": self,
            "student optimiser": self._optimiser,
            "student schedule": self._schedule,
            "augmentation": RandomState(self._random),
        }

    def step(self, pairs: Pairs) -> float:
        """One optimiser step on a batch of pairs; returns the loss."""
        self.train()
        photos = crop_and_flip(pairs.photos, self._random)
        sketches = crop_and_flip(pairs.sketches, self._random)
        loss = self.loss(photos, sketches)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        self._optimiser.step()
        self._schedule.step()
        return loss.item()

    def loss(self, photos: Tensor, sketches: Tensor) -> Tensor:
        """The metric loss of images as they are; their embeddings then enter the queues."""
        p, q = self._label("photo", photos), self._label("sketch", sketches)
        e, k = self.photo(photos), self.sketch(sketches)
        queue_weight, proxy_weight = self._weights
        contrast = self._contrast(e, p, k, q, self.sketch_queue)
        contrast = contrast + self._contrast(k, q, e, p, self.photo_queue)
        proxy = self.proxies.loss(e, p) + self.proxies.loss(k, q)
        self.photo_queue.write(e, p)
        self.sketch_queue.write(k, q)
        return queue_weight * contrast + proxy_weight * proxy

    def classify(self, modality: Modality, images: Tensor) -> Tensor:
        """Logits `[B, C]` that the shared proxies give to images as they are."""
        encoder = self.photo if modality == "photo" else self.sketch
        logits: Tensor = self.proxies(encoder(images))
        return logits

    def encoders(self) -> Encoders:
        """The trained pair, read by embedding; the class posterior is a second reading."""
        self.eval()
        posterior = Encoders(
            Posterior(self.photo, self.proxies), Posterior(self.sketch, self.proxies), "inner"
        )
        return Encoders(self.photo, self.sketch, "cosine", {"posterior": posterior})

    def _contrast(
        self, anchors: Tensor, p: Tensor, keys: Tensor, q: Tensor, queue: EmbeddingQueue
    ) -> Tensor:
        old_keys, old_q = queue.read()
        targets = self._targets(p, torch.cat([q, old_q]))
        keys = torch.cat([keys, old_keys])
        return info_nce(anchors, keys, targets, self._budget.temperature)


class Posterior(nn.Module):
    """A student's class posterior `[B, C]`: softmax over the shared proxies."""

    def __init__(self, encoder: nn.Module, proxies: SharedProxies) -> None:
        super().__init__()
        self.encoder = encoder
        self.proxies = proxies

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.proxies(self.encoder(images))
        return logits.softmax(dim=1)
