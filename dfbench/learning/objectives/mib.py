"""Multi-view information bottleneck (Federici et al., ICLR 2020): photo and sketch as two views.

Each view has a Gaussian posterior of its representation, p(z|x) = N(mu, diag(sigma^2)). What the
two representations tell of each other is kept, what only one of them tells is forgotten:

L = -I_JS(z1; z2) + beta D_SKL,   D_SKL = 1/2 [KL(p1 || p2) + KL(p2 || p1)].

The published code draws one sample for D_SKL; here it is the closed form of two Gaussians.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.learning.metric import equal_decisions
from dfbench.learning.objectives.objective import Probed, Space, View

_LEAST_SPREAD = 1e-7
_CRITIC_WIDTH = 1024


class MultiViewBottleneck(Probed):
    """mu is the encoder's projection, sigma a second head upon the same features.

    Views of one class are a joint sample, those of two classes a marginal one. Retrieval compares
    the directions of mu. Noise comes from torch's global generator, which a loop's checkpoints
    hold.
    """

    step: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        width = space.budget.embedding_dim
        self.photo_spread, self.sketch_spread = (nn.Linear(f, width) for f in space.feature_dims)
        self.critic = Critic(width)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self._steps = space.budget.steps

    def metric(self, photo: View, sketch: View) -> Tensor:
        first = photo.projections, _spread(self.photo_spread(photo.features))
        second = sketch.projections, _spread(self.sketch_spread(sketch.features))
        same_class = equal_decisions(photo.posteriors, sketch.posteriors)
        information = jensen_shannon_information(
            self.critic, _sample(*first), _sample(*second), same_class
        )
        joint = same_class.diagonal()
        superfluous = (symmetric_kl(*first, *second) * joint).sum() / joint.sum().clamp(min=1)
        beta = bottleneck_weight(int(self.step), self._steps)
        self.step += 1
        return -information + beta * superfluous


class Critic(nn.Module):
    """M(z1, z2) `[B]`: high for a joint sample, low for a marginal one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * width, _CRITIC_WIDTH),
            nn.ReLU(),
            nn.Linear(_CRITIC_WIDTH, _CRITIC_WIDTH),
            nn.ReLU(),
            nn.Linear(_CRITIC_WIDTH, 1),
        )

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        scores: Tensor = self.layers(torch.cat([z1, z2], dim=1)).squeeze(1)
        return scores


def jensen_shannon_information(
    critic: nn.Module, z1: Tensor, z2: Tensor, same_class: Tensor
) -> Tensor:
    """E_joint[-softplus(-M)] - E_marginal[softplus(M)], a lower bound up to constants (<= 0).

    Row i of `z1` and of `z2` `[B, D]` is a joint sample if `same_class[i, i]`; a marginal sample is
    row i of `z1` with the next row of `z2` that is of another class.
    """
    joint, (rows, partners) = same_class.diagonal(), next_of_another_class(same_class)
    agreeing = -functional.softplus(-critic(z1, z2))
    parted = functional.softplus(critic(z1[rows], z2[partners]))
    return (agreeing * joint).sum() / joint.sum().clamp(min=1) - _mean(parted)


def next_of_another_class(same_class: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that have a partner of another class, and the next such partner of each, cyclically."""
    count = len(same_class)
    places = torch.arange(count, device=same_class.device)
    ahead = (places - places.unsqueeze(1)) % count
    nearest = ahead.masked_fill(same_class, count).min(dim=1)
    rows = (nearest.values < count).nonzero()[:, 0]
    return rows, nearest.indices[rows]


def symmetric_kl(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> Tensor:
    """`[B]`: D_SKL (nats) of diagonal Gaussians `[B, D]`; the logarithms of both sides cancel."""
    shift = (mu1 - mu2).square()
    forward = (sigma1.square() + shift) / sigma2.square()
    backward = (sigma2.square() + shift) / sigma1.square()
    return (forward + backward - 2).sum(dim=1) / 4


def bottleneck_weight(
    step: int, steps: int, start: float = 1e-3, end: float = 1.0, flat: float = 1 / 3
) -> float:
    """beta: `start` for the `flat` share of the steps, then exponentially to `end` at the last."""
    flat_steps = flat * steps
    progress = max(0.0, step - flat_steps) / max(steps - 1 - flat_steps, 1)
    ratio: float = (end / start) ** min(progress, 1.0)
    return start * ratio


def _spread(outputs: Tensor) -> Tensor:
    return functional.softplus(outputs) + _LEAST_SPREAD


def _sample(mu: Tensor, sigma: Tensor) -> Tensor:
    return mu + sigma * torch.randn_like(mu)


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(len(values), 1)
