"""Triplet loss with semi-hard negatives (Schroff et al., FaceNet, 2015), and quadruplet loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dfbench.learning.metric_losses import equal_decisions
from dfbench.learning.objective import Probed, View


class SemiHardTriplet(Probed):
    """max(0, .2 + d(a, n+)^2 - d(a, n-)^2), with photos and sketches as anchors in turn.

    Positives are all images of the other modality whose label predicts the anchor's class; the
    negative is of another class.
    """

    def metric(self, photo: View, sketch: View) -> Tensor:
        same_class = equal_decisions(photo.posteriors, sketch.posteriors)
        e, k = photo.embeddings, sketch.embeddings
        return (triplet_loss(e, k, same_class) + triplet_loss(k, e, same_class.T)) / 2


def triplet_loss(
    anchors: Tensor, others: Tensor, same_class: Tensor, margin: float = 0.2
) -> Tensor:
    """Mean over anchor-positive pairs of max(0, margin + d(a, +)^2 - d(a, -)^2).

    The negative is semi-hard: the nearest of another class that is further than the positive, or
    the furthest if there is none. `anchors` `[B, D]` and `others` `[N, D]` are on the unit sphere,
    `same_class` `[B, N]` is boolean. Zero if no anchor has a positive and a negative.
    """
    distances = 2 - 2 * anchors @ others.T
    count = (~same_class).sum(dim=1, keepdim=True)
    negatives = semi_hard_negatives(distances, distances, same_class)
    costs = (margin + distances - negatives).clamp(min=0)
    taking_part = same_class & (count > 0)
    return costs.masked_fill(~taking_part, 0).sum() / taking_part.sum().clamp(min=1)


def semi_hard_negatives(positives: Tensor, distances: Tensor, same_class: Tensor) -> Tensor:
    """`[B, N]`: distance of the semi-hard negative of each anchor for each positive.

    That is the nearest of another class that is further than the positive, or the furthest if
    there is none. `positives` `[B, N]` are distances of anchors to candidate positives,
    `distances` `[B, M]` to candidate negatives; `same_class` `[B, M]`, boolean, excludes candidates
    of the anchor's class. Infinite for an anchor without negatives.
    """
    negatives = distances.masked_fill(same_class, torch.inf).sort(dim=1).values
    count = (~same_class).sum(dim=1, keepdim=True)
    further = torch.searchsorted(negatives.detach(), positives.detach(), right=True)
    return negatives.gather(1, torch.minimum(further, (count - 1).clamp(min=0)))


def quadruplet_loss(
    photos: Tensor, sketches: Tensor, p: Tensor, q: Tensor, margin: float = 0.2
) -> Tensor:
    """Domain-balanced quadruplet loss: half of the anchors are photos, half are sketches.

    Mean over anchor-positive pairs of max(0, margin + d(a, +) - d(a, n1)) + max(0, margin +
    d(a, +) - d(a, n2)), d the squared distance of unit embeddings. The positive is of the other
    modality; the negatives are semi-hard, n1 of the anchor's modality and n2 of the other. `photos`
    and `sketches` are `[B, D]`, their labels `p` and `q` `[B, C]`. Zero if no anchor has all three.
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
    """s_c `[class_count, K]`: mean of the posteriors `[N, K]` of each class; zero without images.

    `labels` `[N]` are class indices.
    """
    sums = posteriors.new_zeros(class_count, posteriors.shape[1]).index_add_(0, labels, posteriors)
    counts = torch.bincount(labels, minlength=class_count).clamp(min=1)
    return sums / counts.unsqueeze(1)


def preservation_loss(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """KL(s || softmax(logits / temperature)), mean over the images `[B, K]` with a target.

    A row of `targets` `[B, K]` is a distribution, or all zero for an image without a target.
    """
    divergence = functional.kl_div(
        (logits / temperature).log_softmax(dim=1), targets, reduction="none"
    ).sum(dim=1)
    return divergence.sum() / (targets.sum(dim=1) > 0).sum().clamp(min=1)
