"""Losses of image estimators: Chaudhuri et al. 2023, with errors of the released code corrected.

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
    """Cross-entropy of the teacher with its own prediction: low if each image shows one class."""
    return functional.cross_entropy(logits, logits.argmax(dim=1))


def class_imbalance(logits: Tensor) -> Tensor:
    """Minus the entropy (nats) of the batch's mean posterior: low if all classes are generated."""
    mean = logits.softmax(dim=1).mean(dim=0)
    return (mean * (mean + _EPSILON).log()).sum()


def class_absence(logits: Tensor) -> Tensor:
    """KL(u || mean posterior) with uniform u (nats): 0 if all classes are generated equally.

    It has the same minimum as `class_imbalance`, and nearby differs from it by a constant. Far away
    the gradient of the entropy vanishes with the share of a class, so a lost class stays lost, and
    classes are easily lost when two teachers must agree. The gradient of this loss does not vanish.
    """
    log_mean = logits.log_softmax(dim=1).logsumexp(dim=0) - math.log(len(logits))
    return -log_mean.mean() - math.log(logits.shape[1])


def inactivity(features: Tensor) -> Tensor:
    """Minus the mean absolute feature: low if the images activate the teacher strongly."""
    return -features.abs().mean()


def class_misalignment(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence (nats) of the teachers' posteriors on images of the same noise.

    Symmetric: the released code detaches one side, so its sketch estimator is never aligned.
    """
    log_mixture = ((p + q) / 2 + _EPSILON).log()
    return (_kl_to(p, log_mixture) + _kl_to(q, log_mixture)) / 2


class OtherBin:
    """Maps a posterior `[B, C]` over the union to `[B, K + 1]`: all but K classes in one bin.

    `shared` `[C]` is true for the K classes that both teachers know; if all are shared, posteriors
    do not change. Compared over the whole union, two teachers could agree only by never generating
    a class known to just one of them.
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
    """Minus KL(teacher || student) where both predict the same class, else 0: an adversarial loss.

    `student_logits` come from proxies, which give the encoder's metric space class probabilities
    ("metric-agnostic"). The mask prevents a trivial solution by images of no class; logits that are
    scaled cosines bound the divergence (the released -CE has no lower bound).
    """
    target = teacher_posterior.detach()
    log_student = student_logits.log_softmax(dim=1)
    divergence = (target * ((target + _EPSILON).log() - log_student)).sum(dim=1)
    agree = target.argmax(dim=1) == student_logits.argmax(dim=1)
    return -(divergence * agree).mean()


def _kl_to(p: Tensor, log_q: Tensor) -> Tensor:
    return (p * ((p + _EPSILON).log() - log_q)).sum(dim=1).mean()
