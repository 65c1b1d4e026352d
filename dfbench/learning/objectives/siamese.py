"""Contrastive loss of a Siamese network (Hadsell, Chopra, LeCun 2006) across two modalities."""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.learning.metric import equal_decisions
from dfbench.learning.objectives.objective import Probed, View


class Contrastive(Probed):
    """mean over pairs of y d^2 + (1 - y) max(0, 1 - d)^2, with d = ||e - k||.

    All photo-sketch pairs of a batch take part; y = 1 where both labels decide for one class.
    Those pairs weigh as much together as all others: half of the loss is of positives.
    """

    def metric(self, photo: View, sketch: View) -> Tensor:
        same_class = equal_decisions(photo.posteriors, sketch.posteriors)
        return contrastive_loss(photo.embeddings, sketch.embeddings, same_class)


def contrastive_loss(e: Tensor, k: Tensor, same_class: Tensor, margin: float = 1.0) -> Tensor:
    """Half the mean of d^2 over positives and half that of max(0, margin - d)^2 over negatives.

    `e` `[B, D]`, `k` `[N, D]`, `same_class` `[B, N]`, boolean; a batch without positives (or
    without negatives) has no such half.
    """
    distances = torch.cdist(e, k, compute_mode="donot_use_mm_for_euclid_dist")
    pull = _mean(distances.square(), same_class)
    push = _mean((margin - distances).clamp(min=0).square(), ~same_class)
    return (pull + push) / 2


def _mean(costs: Tensor, chosen: Tensor) -> Tensor:
    return (costs * chosen).sum() / chosen.sum().clamp(min=1)
