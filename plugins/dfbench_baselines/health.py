"""Diagnostics of generated pairs that need no data."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dfbench_baselines.pair_estimators import Estimate


def curves(estimate: Estimate) -> dict[str, Tensor]:
    """Curves of the training of estimators: their losses, and four diagnostics; scalars.

    `agreement`: share of pairs for which the teachers predict the same class; `rarest class`: its
    share of the photos relative to a uniform share; `certainty`: mean of the photo teacher's
    largest probability; `diversity` of photos: see `diversity`.
    """
    p, q = estimate.p, estimate.q
    shares = p.mean(dim=0)
    return {
        **estimate.losses,
        "agreement": (p.argmax(dim=1) == q.argmax(dim=1)).float().mean(),
        "rarest class": shares.min() * len(shares),
        "certainty": p.max(dim=1).values.mean(),
        "diversity": diversity(estimate.h, p.argmax(dim=1)),
    }


def diversity(features: Tensor, classes: Tensor) -> Tensor:
    """Mean cosine distance of two images of one class, for features `[B, D]`, classes `[B]`.

    0 if all images of a class look the same to the teacher; NaN if no class occurs twice.
    """
    unit = functional.normalize(features, dim=1)
    alike = classes.unsqueeze(1) == classes
    alike &= ~torch.eye(len(classes), dtype=torch.bool, device=classes.device)
    return ((1 - unit @ unit.T) * alike).sum() / alike.sum()
