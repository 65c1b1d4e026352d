"""Building blocks of metric losses: pair targets, InfoNCE, queues and proxies.

Notation: unit embeddings `e` [B, D] of one modality and `k` of the other, posteriors `p`, `q`
[B, C] over the union of classes, temperature T.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.learning.batches import HostCount

_EPSILON = 1e-8


def soft_pair_targets(p: Tensor, q: Tensor) -> Tensor:
    """`[B, N]`: m_ij = sum_c p_ic q_jc, the probability that i and j share a class, rows sum to 1.

    Rows without mass (classes known to only one teacher) stay zero.
    """
    same_class = p @ q.T
    return same_class / (same_class.sum(dim=1, keepdim=True) + _EPSILON)


def equal_decisions(p: Tensor, q: Tensor) -> Tensor:
    """`[B, N]`, boolean: both posteriors have their maximum at the same class."""
    return p.argmax(dim=1).unsqueeze(1) == q.argmax(dim=1)


def hard_pair_targets(p: Tensor, q: Tensor) -> Tensor:
    """`[B, N]`: 1 where both posteriors predict the same class, rows normalised to sum to 1."""
    same_class = equal_decisions(p, q).to(p.dtype)
    return same_class / (same_class.sum(dim=1, keepdim=True) + _EPSILON)


def info_nce(embeddings: Tensor, keys: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """-mean_i sum_j targets_ij log softmax_j(e_i . k_j / T), for `[B, D]`, `[N, D]`, `[B, N]`.

    With one-hot targets this is InfoNCE (van den Oord et al. 2018). With several positives in a row
    none of them is a negative, so that images of equal class in the queue are not pushed apart.
    """
    log_share = (embeddings @ keys.T / temperature).log_softmax(dim=1)
    return -(targets * log_share).sum(dim=1).mean()


class EmbeddingQueue(nn.Module):
    """The last `size` embeddings of one modality and their posteriors, first in, first out."""

    embeddings: Tensor
    posteriors: Tensor

    def __init__(self, size: int, embedding_dim: int, class_count: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("embeddings", torch.zeros(size, embedding_dim))
        self.register_buffer("posteriors", torch.zeros(size, class_count))
        self.written = HostCount()

    def read(self) -> tuple[Tensor, Tensor]:
        """The embeddings `[n, D]` and posteriors `[n, C]` written so far, n <= size."""
        count = min(self.written.value, self.size)
        return self.embeddings[:count], self.posteriors[:count]

    @torch.no_grad()
    def write(self, embeddings: Tensor, posteriors: Tensor) -> None:
        """Replace the oldest entries by a batch, or by the end of it if it exceeds the queue."""
        first = max(len(embeddings) - self.size, 0)
        places = torch.arange(first, len(embeddings), device=self.embeddings.device)
        slots = (self.written.value + places) % max(self.size, 1)
        self.embeddings[slots] = embeddings[first:].detach()
        self.posteriors[slots] = posteriors[first:].detach()
        self.written.value += len(embeddings)


class SharedProxies(nn.Module):
    """One learned unit vector per class, shared by both modalities.

    They give a metric space class probabilities: s = softmax(scale * e W^T).
    """

    def __init__(self, class_count: int, embedding_dim: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(class_count, embedding_dim))
        self.scale = scale

    def forward(self, embeddings: Tensor) -> Tensor:
        """Logits `[B, C]` of unit embeddings `[B, D]`."""
        return self.scale * embeddings @ functional.normalize(self.weight, dim=1).T

    def loss(self, embeddings: Tensor, posteriors: Tensor) -> Tensor:
        """Cross-entropy with soft targets: KL(p || s) up to the entropy of p."""
        return functional.cross_entropy(self(embeddings), posteriors)
