"""ProxyAnchor (Kim et al., "Proxy Anchor Loss for Deep Metric Learning", CVPR 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dfbench.learning.metric_losses import SharedProxies
from dfbench.learning.objective import Objective, Space, View
from dfbench.modality import Modality


class ProxyAnchor(Objective):
    """ProxyAnchor with one proxy per class for both modalities; labels are hard predictions.

    `learned` proxies are trained with the encoders; others keep their directions.
    """

    def __init__(self, space: Space, *, learned: bool = True) -> None:
        super().__init__()
        budget = space.budget
        self.proxies = SharedProxies(space.class_count, budget.embedding_dim, budget.proxy_scale)
        self._learned = learned

    def loss(self, photo: View, sketch: View) -> Tensor:
        embeddings = torch.cat([photo.embeddings, sketch.embeddings])
        labels = torch.cat([photo.posteriors, sketch.posteriors])
        weight = self.proxies.weight if self._learned else self.proxies.weight.detach()
        directions = functional.normalize(weight, dim=1)
        classes = torch.arange(labels.shape[1], device=labels.device)
        decisions = labels.argmax(dim=1, keepdim=True) == classes
        return proxy_anchor_loss(embeddings @ directions.T, decisions)

    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        del modality
        logits: Tensor = self.proxies(embeddings)
        return logits


def proxy_anchor_loss(
    similarities: Tensor, decisions: Tensor, alpha: float = 32.0, margin: float = 0.1
) -> Tensor:
    """Soft attraction of each occurring class to its proxy, soft repulsion of all other images.

    mean over w in P+ of log(1 + sum_{x in w} exp(-alpha (s(x, w) - margin)))
    + mean over all w of log(1 + sum_{x not in w} exp(alpha (s(x, w) + margin))).

    `similarities` `[B, C]` are between embeddings and proxies; `decisions` `[B, C]`, boolean, mark
    the class of each; P+ are the proxies whose class occurs in the batch.
    """
    pull = _soft_sum(-alpha * (similarities - margin), decisions)
    push = _soft_sum(alpha * (similarities + margin), ~decisions)
    return pull.sum() / decisions.any(dim=0).sum() + push.mean()


def _soft_sum(exponents: Tensor, chosen: Tensor) -> Tensor:
    """`[C]`: log(1 + sum of exp over the chosen rows of each column)."""
    masked = exponents.masked_fill(~chosen, -torch.inf)
    return functional.pad(masked, (0, 0, 1, 0)).logsumexp(dim=0)
