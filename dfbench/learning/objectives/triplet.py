"""Triplet loss with semi-hard negatives (Schroff et al., "FaceNet", 2015) across two modalities."""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.learning.metric import equal_decisions
from dfbench.learning.objectives.objective import Probed, View


class SemiHardTriplet(Probed):
    """max(0, .2 + d(a, n+)^2 - d(a, n-)^2), photos and sketches being anchors in turn.

    Positives are all images of the other modality whose label decides for the anchor's class, the
    negative is one of another class.
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
    the furthest of all where none is. `anchors` `[B, D]` and `others` `[N, D]` on the unit sphere,
    `same_class` `[B, N]`, boolean. Zero without an anchor that has a positive and a negative.
    """
    distances = 2 - 2 * anchors @ others.T
    count = (~same_class).sum(dim=1, keepdim=True)
    negatives = semi_hard_negatives(distances, distances, same_class)
    costs = (margin + distances - negatives).clamp(min=0)
    taking_part = same_class & (count > 0)
    return costs.masked_fill(~taking_part, 0).sum() / taking_part.sum().clamp(min=1)


def semi_hard_negatives(positives: Tensor, distances: Tensor, same_class: Tensor) -> Tensor:
    """`[B, N]`: distance of the semi-hard negative that each anchor has for each positive.

    That is the nearest of another class that is further than the positive, or the furthest of all
    where none is. `positives` `[B, N]` are distances of anchors to candidates for a positive,
    `distances` `[B, M]` those to candidates for a negative, `same_class` `[B, M]`, boolean, says
    which of these are none; infinite for an anchor without a negative.
    """
    negatives = distances.masked_fill(same_class, torch.inf).sort(dim=1).values
    count = (~same_class).sum(dim=1, keepdim=True)
    further = torch.searchsorted(negatives.detach(), positives.detach(), right=True)
    return negatives.gather(1, torch.minimum(further, (count - 1).clamp(min=0)))
