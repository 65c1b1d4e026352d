"""Contrastive loss of a Siamese network (Hadsell, Chopra, LeCun 2006) over photos and sketches."""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.learning.metric_losses import equal_decisions
from dfbench.learning.objective import Probed, View


class Contrastive(Probed):
    """mean over pairs of y d^2 + (1 - y) max(0, 1 - d)^2, with d the distance of two embeddings.

    All pairs of two images in a batch are used, within and across modalities; y = 1 if both labels
    predict the same class. Positive pairs have half of the weight, however few they are. Pairs
    across modalities alone would move both modalities onto one point before classes separate:
    while d > 1 only positives have a gradient.
    """

    def metric(self, photo: View, sketch: View) -> Tensor:
        embeddings = torch.cat([photo.embeddings, sketch.embeddings])
        labels = torch.cat([photo.posteriors, sketch.posteriors])
        return contrastive_loss(embeddings, equal_decisions(labels, labels))


def contrastive_loss(embeddings: Tensor, same_class: Tensor, margin: float = 1.0) -> Tensor:
    """Half the mean of d^2 over positives plus half that of max(0, margin - d)^2 over negatives.

    `embeddings` `[N, D]`, `same_class` `[N, N]`, boolean; an image is not paired with itself. A
    batch without positives (or negatives) lacks that half.
    """
    distances = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    others = ~torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    pull = _mean(distances.square(), same_class & others)
    push = _mean((margin - distances).clamp(min=0).square(), ~same_class & others)
    return (pull + push) / 2


def _mean(costs: Tensor, chosen: Tensor) -> Tensor:
    return (costs * chosen).sum() / chosen.sum().clamp(min=1)
