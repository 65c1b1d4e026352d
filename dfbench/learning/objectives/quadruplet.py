"""Losses of the zero-shot reference after Tursun et al. (Pattern Recognition 126, 2022)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dfbench.learning.metric import equal_decisions
from dfbench.learning.objectives.triplet import semi_hard_negatives


def quadruplet_loss(
    photos: Tensor, sketches: Tensor, p: Tensor, q: Tensor, margin: float = 0.2
) -> Tensor:
    """Domain-balanced: half of the anchors are photos, half are sketches.

    Mean over anchor-positive pairs of max(0, margin + d(a, +) - d(a, n1)) + max(0, margin +
    d(a, +) - d(a, n2)), d the squared distance of unit embeddings. The positive is of the other
    modality; the negatives are semi-hard, n1 of the anchor's modality and n2 of the other. `photos`
    and `sketches` `[B, D]`, their labels `p` and `q` `[B, C]`. Zero without an anchor that has all
    three.
    """
    return (
        _anchored(photos, sketches, p, q, margin) + _anchored(sketches, photos, q, p, margin)
    ) / 2


def _anchored(anchors: Tensor, others: Tensor, p: Tensor, q: Tensor, margin: float) -> Tensor:
    same, same_own = equal_decisions(p, q), equal_decisions(p, p)
    across, within = 2 - 2 * anchors @ others.T, 2 - 2 * anchors @ anchors.T
    costs = [
        (margin + across - semi_hard_negatives(across, distances, excluded)).clamp(min=0)
        for distances, excluded in ((within, same_own), (across, same))
    ]
    has_negatives = ~(same.all(dim=1) | same_own.all(dim=1))
    taking_part = same & has_negatives.unsqueeze(1)
    return (costs[0] + costs[1]).masked_fill(~taking_part, 0).sum() / taking_part.sum().clamp(min=1)


def class_semantics(posteriors: Tensor, labels: Tensor, class_count: int) -> Tensor:
    """s_c `[class_count, K]`: mean of the posteriors `[N, K]` of each class; zero for one without.

    `labels` `[N]` are indices of classes.
    """
    sums = posteriors.new_zeros(class_count, posteriors.shape[1]).index_add_(0, labels, posteriors)
    counts = torch.bincount(labels, minlength=class_count).clamp(min=1)
    return sums / counts.unsqueeze(1)


def preservation_loss(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """KL(s || softmax(logits / temperature)), mean over the images `[B, K]` that have a target.

    A row of `targets` `[B, K]` is a distribution, or all zero for an image without one.
    """
    divergence = functional.kl_div(
        (logits / temperature).log_softmax(dim=1), targets, reduction="none"
    ).sum(dim=1)
    return divergence.sum() / (targets.sum(dim=1) > 0).sum().clamp(min=1)
