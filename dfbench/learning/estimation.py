"""Losses that shape estimated images: Chaudhuri et al. 2023, with the release's faults mended.

Notation: logits `l` [B, C] of a frozen teacher on estimated images, posteriors `p` (photo) and `q`
(sketch) = softmax(l), penultimate features `h` [B, D]. All logarithms are natural; the release's
entropy uses log10, so its weight 5 is 2.17 here. Every function returns a scalar to minimise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_EPSILON = 1e-8


def one_hotness(logits: Tensor) -> Tensor:
    """Cross-entropy of the teacher with its own decision: small when every image is one class."""
    return functional.cross_entropy(logits, logits.argmax(dim=1))


def class_imbalance(logits: Tensor) -> Tensor:
    """Minus the entropy (nats) of the batch's mean posterior: small when all classes are made."""
    mean = logits.softmax(dim=1).mean(dim=0)
    return (mean * (mean + _EPSILON).log()).sum()


def class_absence(logits: Tensor) -> Tensor:
    """KL(u || mean posterior) of equal shares u (nats): 0 when all classes are made equally.

    Where `class_imbalance` is least this is too, and nearby they differ by a constant. Far away,
    entropy's gradient fades with the share of a class: a class once lost stays lost, and where two
    teachers have to agree one easily is. This one's gradient stays as large as before.
    """
    log_mean = logits.log_softmax(dim=1).logsumexp(dim=0) - math.log(len(logits))
    return -log_mean.mean() - math.log(logits.shape[1])


def inactivity(features: Tensor) -> Tensor:
    """Minus the mean absolute feature: small when the images excite the teacher."""
    return -features.abs().mean()


def class_misalignment(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence (nats) of the two teachers' posteriors on images of one noise.

    Two-sided: the release detaches one side, so that its sketch estimator is never aligned.
    """
    log_mixture = ((p + q) / 2 + _EPSILON).log()
    return (_kl_to(p, log_mixture) + _kl_to(q, log_mixture)) / 2


class OtherBin:
    """Maps a posterior `[B, C]` over the union to `[B, K + 1]`: all but K classes in one bin.

    `shared` `[C]` is true for the K classes that both teachers know; where it is true for all, a
    posterior stays as it is. Compared bin by bin over the union, two teachers could only agree
    by never making a class that one of them alone knows.
    """

    def __init__(self, shared: Tensor) -> None:
        self._shared = shared.nonzero().squeeze(1)
        self._others = (~shared).nonzero().squeeze(1)

    def __call__(self, posterior: Tensor) -> Tensor:
        """The posterior with its other bin."""
        if not len(self._others):
            return posterior
        other = posterior[:, self._others].sum(dim=1, keepdim=True)
        return torch.cat([posterior[:, self._shared], other], dim=1)


def modality_confusion(photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
    """Cross-entropy of a modality classifier whose logits `[B]` say how sketch-like an image is."""
    return functional.binary_cross_entropy_with_logits(
        photo_logits, torch.zeros_like(photo_logits)
    ) + functional.binary_cross_entropy_with_logits(sketch_logits, torch.ones_like(sketch_logits))


def student_agreement(teacher_posterior: Tensor, student_logits: Tensor) -> Tensor:
    """Minus KL(teacher || student) where both decide alike, 0 elsewhere: the estimator's adversary.

    `student_logits` come from proxies, so that the encoder's metric space has class percentages
    ("metric-agnostic"). The mask keeps the game from being won by images of no class; logits that
    are scaled cosines bound the divergence (the release's -CE has no lower bound).
    """
    target = teacher_posterior.detach()
    log_student = student_logits.log_softmax(dim=1)
    divergence = (target * ((target + _EPSILON).log() - log_student)).sum(dim=1)
    agree = target.argmax(dim=1) == student_logits.argmax(dim=1)
    return -(divergence * agree).mean()


def _kl_to(p: Tensor, log_q: Tensor) -> Tensor:
    return (p * ((p + _EPSILON).log() - log_q)).sum(dim=1).mean()
