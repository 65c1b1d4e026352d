"""Multi-view information bottleneck (Federici et al., ICLR 2020): photo and sketch as two views.

Each view has a Gaussian posterior of its representation, p(z|x) = N(mu, diag(sigma^2)). Information
shared by the two representations is kept, information in only one of them is discarded:

L = -I_JS(z1; z2) + beta D_SKL,   D_SKL = 1/2 [KL(p1 || p2) + KL(p2 || p1)].

Differences to the published code, which uses views of one image and 10^5 training steps:

- D_SKL is in closed form for two Gaussians (published: one sample);
- the critic is M(z1, z2) = <g(z1), g(z2)> / sqrt(D), g(z) = z + MLP(z) for both views, on
  standardised z, so that all pairs of a batch are used (published: a perceptron of the
  concatenated vectors, one marginal sample each). Mutual information is invariant to shift and
  scale, but within some hundred steps the published critic does not learn to distinguish joint from
  marginal samples, and the bottleneck then empties both representations;
- beta rises from 1e-4 to 1e-1 (published: 1e-3 to 1), over the same shares of the training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.learning.batches import HostCount
from dfbench.learning.metric_losses import equal_decisions
from dfbench.learning.objective import Probed, Space, View

_LEAST_SPREAD = 1e-7
_CRITIC_WIDTH = 1024


class MultiViewBottleneck(Probed):
    """mu is the encoder's projection, sigma a second head on the same features.

    Views of one class are joint samples, views of two classes marginal ones. Retrieval compares the
    directions of mu. The noise of a step is seeded by the number of the step.
    """

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        width = space.budget.embedding_dim
        self.photo_spread, self.sketch_spread = (nn.Linear(f, width) for f in space.feature_dims)
        self.critic = Critic(width)
        self.step = HostCount()
        self.seed = HostCount()
        self.seed.value = int(torch.randint(2**31, ()))
        self._steps = space.budget.steps

    def metric(self, photo: View, sketch: View) -> Tensor:
        first = photo.projections, _spread(self.photo_spread(photo.features))
        second = sketch.projections, _spread(self.sketch_spread(sketch.features))
        same_class = equal_decisions(photo.posteriors, sketch.posteriors)
        random = torch.Generator(photo.features.device).manual_seed(
            self.seed.value + self.step.value
        )
        scores = self.critic(_sample(*first, random), _sample(*second, random))
        superfluous = _mean(symmetric_kl(*first, *second), same_class.diagonal())
        beta = bottleneck_weight(self.step.value, self._steps)
        self.step.value += 1
        return -jensen_shannon_information(scores, same_class) + beta * superfluous


class Critic(nn.Module):
    """M(z1, z2) `[B, N]`: high for a joint sample, low for a marginal one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, _CRITIC_WIDTH),
            nn.ReLU(),
            nn.Linear(_CRITIC_WIDTH, _CRITIC_WIDTH),
            nn.ReLU(),
            nn.Linear(_CRITIC_WIDTH, width),
        )

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        z1, z2 = _standardised(z1), _standardised(z2)
        g1, g2 = z1 + self.layers(z1), z2 + self.layers(z2)
        scores: Tensor = g1 @ g2.T / z1.shape[1] ** 0.5
        return scores


def jensen_shannon_information(scores: Tensor, same_class: Tensor) -> Tensor:
    """E_joint[-softplus(-M)] - E_marginal[softplus(M)]: a lower bound up to a constant (<= 0).

    `scores` `[B, N]` of a critic; `same_class` `[B, N]`, boolean, marks joint samples.
    """
    agreeing = _mean(-functional.softplus(-scores), same_class)
    return agreeing - _mean(functional.softplus(scores), ~same_class)


def symmetric_kl(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> Tensor:
    """`[B]`: D_SKL (nats) of diagonal Gaussians `[B, D]`; the logarithms of both sides cancel."""
    shift = (mu1 - mu2).square()
    forward = (sigma1.square() + shift) / sigma2.square()
    backward = (sigma2.square() + shift) / sigma1.square()
    return (forward + backward - 2).sum(dim=1) / 4


def bottleneck_weight(
    step: int, steps: int, start: float = 1e-4, end: float = 1e-1, flat: float = 1 / 3
) -> float:
    """beta: `start` for the `flat` share of the steps, then exponentially to `end` at the last."""
    flat_steps = flat * steps
    progress = max(0.0, step - flat_steps) / max(steps - 1 - flat_steps, 1)
    ratio: float = (end / start) ** min(progress, 1.0)
    return start * ratio


def _spread(outputs: Tensor) -> Tensor:
    return functional.softplus(outputs) + _LEAST_SPREAD


def _sample(mu: Tensor, sigma: Tensor, random: torch.Generator) -> Tensor:
    noise = torch.randn(mu.shape, generator=random, device=mu.device, dtype=mu.dtype)
    return mu + sigma * noise


def _standardised(z: Tensor) -> Tensor:
    return functional.batch_norm(z, None, None, training=True)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
