"""The errors in the released code of Chaudhuri et al. 2023, one function or class per error.

Only for the study `crossx[released]`; the corrected counterparts are in `dfbench.learning`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.networks import Estimator, Normaliser

_TEMPERATURE = 0.07
_QUEUE_SIZE = 128


class RawTanh(nn.Module):
    """An estimator whose tanh output is fed to networks as if it were a normalised image.

    In [0, 1] it covers only mean +- std of the normaliser: no white paper next to black ink.
    """

    def __init__(self, estimator: Estimator, normaliser: Normaliser) -> None:
        super().__init__()
        self.estimator = estimator
        self.normaliser = normaliser

    def forward(self, noise: Tensor) -> Tensor:
        return self.normaliser.inverse(2 * self.estimator(noise) - 1)


def log10_imbalance(logits: Tensor) -> Tensor:
    """`class_imbalance` by log10: 1/2.303 of its weight, and NaN if a class is never generated."""
    mean = logits.softmax(dim=1).mean(dim=0)
    return (mean * mean.log10()).sum()


def one_sided_misalignment(photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
    """KL(sketch || photo) whose sketch side is detached: the sketch estimator is never aligned."""
    log_p, q = photo_logits.log_softmax(dim=1), sketch_logits.detach().softmax(dim=1)
    return functional.kl_div(log_p, q, reduction="batchmean")


def unbounded_agreement(student_logits: Tensor, decisions: Tensor) -> Tensor:
    """-CE(student, teacher's prediction): an adversary without bound, on any image."""
    return -functional.cross_entropy(student_logits, decisions)


def standardised_by_thirds(images: Tensor) -> Tensor:
    """Images minus mean over std of three thirds of the *batch*, mistaken for the three channels.

    `view(3, -1)` of `[B, 3, H, W]` divides the batch instead of its channels. Networks then
    normalise the result again.
    """
    thirds = images.contiguous().view(3, -1)
    mean, std = thirds.mean(dim=1), thirds.std(dim=1)
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


class FrozenQueue(nn.Module):
    """InfoNCE with 128 random directions that are never replaced by embeddings.

    The released queue is updated only if its size is a multiple of the batch size, which it is not.
    Encoders that map everything to one point minimise this loss.
    """

    directions: Tensor

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        directions = functional.normalize(torch.randn(_QUEUE_SIZE, embedding_dim), dim=1)
        self.register_buffer("directions", directions)

    def loss(self, embeddings: Tensor, partners: Tensor) -> Tensor:
        """InfoNCE of unit embeddings `[B, D]`; partners `[B, D]` are detached."""
        positive = (embeddings * partners.detach()).sum(dim=1, keepdim=True)
        logits = torch.cat([positive, embeddings @ self.directions.T], dim=1) / _TEMPERATURE
        first = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        return functional.cross_entropy(logits, first)
