"""What encoders minimise, against values worked out by hand or by naive loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from dfbench.budget import Budget
from dfbench.learning.metric_losses import equal_decisions
from dfbench.learning.objective import Objective, Probed, Space, View
from dfbench.learning.objectives.mib import (
    Critic,
    MultiViewBottleneck,
    bottleneck_weight,
    jensen_shannon_information,
    symmetric_kl,
)
from dfbench.learning.objectives.proxy_anchor import ProxyAnchor, proxy_anchor_loss
from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.objectives.siamese import Contrastive, contrastive_loss
from dfbench.learning.objectives.triplet import SemiHardTriplet, triplet_loss

seeds = st.integers(0, 2**31 - 1)
CLASSES = 3
SPACE = Space(CLASSES, (12, 10), Budget(embedding_dim=8, queue_size=16, steps=9))


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _unit(count: int, seed: int, width: int = 4) -> Tensor:
    return functional.normalize(torch.randn(count, width, generator=_random(seed)), dim=1)


def _angles(*degrees: float) -> Tensor:
    radians = torch.tensor(degrees).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def _labels(*classes: int) -> Tensor:
    return functional.one_hot(torch.tensor(classes), CLASSES).float()


def _squared_distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().sum())


def test_contrastive_loss_of_one_positive_and_two_negative_pairs_by_hand() -> None:
    same_class = equal_decisions(_labels(0, 0, 1), _labels(0, 0, 1))
    near, nearer = (2 * math.sin(math.radians(angle / 2)) for angle in (50, 40))
    pull, push = 2.0, ((1 - near) ** 2 + (1 - nearer) ** 2) / 2
    loss = contrastive_loss(_angles(0, 90, 50), same_class).item()
    assert loss == pytest.approx((pull + push) / 2, rel=1e-5)


def test_negatives_beyond_the_margin_cost_nothing() -> None:
    assert contrastive_loss(_angles(0, 60.1, 180), torch.eye(3).bool()).item() == 0


def test_positives_weigh_half_however_few_they_are() -> None:
    classes = [0, 0, *[1 + i % 2 for i in range(6)]]
    same_class = equal_decisions(_labels(*classes), _labels(*classes))
    embeddings = _angles(0, 180, *[90, 270] * 3)
    assert contrastive_loss(embeddings, same_class).item() == pytest.approx(
        4 * 2 / 14 / 2, rel=1e-5
    )


def test_contrastive_loss_of_equal_embeddings_has_finite_gradients() -> None:
    e = _angles(30, 30, 30).requires_grad_()
    same_class = equal_decisions(_labels(0, 0, 1), _labels(0, 0, 1))
    contrastive_loss(e, same_class).backward()  # type: ignore[no-untyped-call]  # torch's stub
    assert e.grad is not None
    assert e.grad.isfinite().all()


def test_triplet_takes_the_nearest_negative_beyond_the_positive() -> None:
    positive, nearer, semi_hard, easy = 30.0, 10.0, 33.0, 120.0
    others = _angles(positive, easy, nearer, semi_hard)
    same_class = torch.tensor([[True, False, False, False]])
    d = [2 - 2 * math.cos(math.radians(angle)) for angle in (positive, semi_hard)]
    loss = triplet_loss(_angles(0), others, same_class).item()
    assert loss == pytest.approx(0.2 + d[0] - d[1], abs=1e-5)


def test_triplet_falls_back_to_the_furthest_negative() -> None:
    others, same_class = _angles(90, 10, 45), torch.tensor([[True, False, False]])
    expected = 0.2 + 2 - (2 - 2 * math.cos(math.radians(45)))
    loss = triplet_loss(_angles(0), others, same_class).item()
    assert loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("same", [True, False])
def test_triplet_of_one_class_or_of_no_positive_is_zero(same: bool) -> None:
    same_class = torch.full((3, 3), same)
    e = _unit(3, 0).requires_grad_()
    loss = triplet_loss(e, _unit(3, 1), same_class)
    loss.backward()
    assert loss.item() == 0
    assert e.grad is not None
    assert e.grad.isfinite().all()


@settings(deadline=None, max_examples=40)
@given(seeds, st.integers(1, 6), st.integers(2, 7))
def test_triplet_equals_a_naive_loop(seed: int, rows: int, columns: int) -> None:
    a, b = _unit(rows, seed), _unit(columns, seed + 1)
    same_class = torch.rand(rows, columns, generator=_random(seed)) < 0.4
    costs = []
    for i in range(rows):
        negatives = [_squared_distance(a[i], b[j]) for j in range(columns) if not same_class[i, j]]
        for j in range(columns):
            if same_class[i, j] and negatives:
                d = _squared_distance(a[i], b[j])
                negative = min((n for n in negatives if n > d), default=max(negatives))
                costs.append(max(0.0, 0.2 + d - negative))
    expected = sum(costs) / max(len(costs), 1)
    assert triplet_loss(a, b, same_class).item() == pytest.approx(expected, abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(seeds, st.integers(1, 6))
def test_proxy_anchor_equals_a_naive_loop(seed: int, rows: int) -> None:
    similarities = 2 * torch.rand(rows, CLASSES, generator=_random(seed)) - 1
    classes = torch.randint(CLASSES, (rows,), generator=_random(seed)).tolist()
    pull = push = 0.0
    for w in range(CLASSES):
        s = similarities[:, w].tolist()
        inside = [s[i] for i in range(rows) if classes[i] == w]
        outside = [s[i] for i in range(rows) if classes[i] != w]
        pull += math.log(1 + sum(math.exp(-32 * (x - 0.1)) for x in inside)) / len(set(classes))
        push += math.log(1 + sum(math.exp(32 * (x + 0.1)) for x in outside)) / CLASSES
    loss = proxy_anchor_loss(similarities, _labels(*classes).bool()).item()
    assert loss == pytest.approx(pull + push, rel=1e-4, abs=1e-5)


def test_proxy_anchor_has_finite_gradients_for_classes_that_do_not_occur() -> None:
    similarities = torch.zeros(2, CLASSES, requires_grad=True)
    proxy_anchor_loss(similarities, _labels(0, 0).bool()).backward()
    assert similarities.grad is not None
    assert similarities.grad.isfinite().all()


def test_symmetric_kl_of_two_gaussians_by_hand() -> None:
    mu1, mu2 = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    sigma1, sigma2 = torch.ones(1, 2), torch.tensor([[1.0, 2.0]])
    forward = 0.5 * (1 + 0) + math.log(2) + (1 / 4 - 1) / 2
    backward = 0.5 * (1 + 0) - math.log(2) + (4 - 1) / 2
    expected = (forward + backward) / 2
    assert symmetric_kl(mu1, sigma1, mu2, sigma2).tolist() == pytest.approx([expected])


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_symmetric_kl_equals_torch_distributions(seed: int) -> None:
    mu = [torch.randn(5, 3, generator=_random(seed + i)) for i in range(2)]
    sigma = [0.1 + torch.rand(5, 3, generator=_random(seed + i)) for i in range(2)]
    p1, p2 = (torch.distributions.Normal(m, s) for m, s in zip(mu, sigma, strict=True))
    kl = torch.distributions.kl_divergence
    expected = (kl(p1, p2) + kl(p2, p1)).sum(dim=1) / 2
    found = symmetric_kl(mu[0], sigma[0], mu[1], sigma[1])
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_information_weighs_joint_against_marginal_samples_by_hand() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    same_class = equal_decisions(_labels(0, 1), _labels(0, 1, 1))
    joint = [-math.log(1 + math.exp(-m)) for m in (1, 5, 6)]
    marginal = [math.log(1 + math.exp(m)) for m in (2, 3, 4)]
    expected = sum(joint) / 3 - sum(marginal) / 3
    found = jensen_shannon_information(scores, same_class).item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_information_of_one_class_has_no_marginal_sample_and_stays_finite() -> None:
    information = jensen_shannon_information(torch.ones(3, 3), torch.ones(3, 3).bool())
    assert information.item() == pytest.approx(-math.log(1 + math.exp(-1)), rel=1e-5)


def test_critic_does_not_see_shift_or_scale_of_a_representation() -> None:
    torch.manual_seed(0)
    critic, z1, z2 = Critic(4), torch.randn(9, 4), torch.randn(9, 4)
    moved = critic(100 + 30 * z1, 0.5 * z2 - 7)
    assert torch.allclose(moved, critic(z1, z2), atol=1e-3)


def test_bottleneck_weight_is_flat_for_a_third_and_rises_to_its_end_at_the_last_step() -> None:
    weights = [bottleneck_weight(step, 90) for step in range(90)]
    assert weights[:31] == [pytest.approx(1e-4)] * 31
    assert weights[-1] == pytest.approx(0.1)
    ratios = [b / a for a, b in pairwise(weights[30:])]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert ratios[0] > 1


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_bottleneck_weight_of_the_shortest_training_stays_in_its_range(steps: int) -> None:
    weights = [bottleneck_weight(step, steps) for step in range(5)]
    assert all(1e-4 <= weight <= 0.1 for weight in weights)


OBJECTIVES: list[Callable[[Space], Objective]] = [
    QueueAndProxies,
    partial(QueueAndProxies, queue_weight=0.0),
    partial(QueueAndProxies, proxy_weight=0.0),
    Contrastive,
    SemiHardTriplet,
    MultiViewBottleneck,
    ProxyAnchor,
    partial(ProxyAnchor, learned=False),
]


class _Towers(nn.Module):
    """Two linear encoders of vectors, for an objective to train."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        width = space.budget.embedding_dim
        self.heads = nn.ModuleList(nn.Linear(f, width) for f in space.feature_dims)

    def views(self, inputs: tuple[Tensor, Tensor], labels: tuple[Tensor, Tensor]) -> list[View]:
        projections = [head(x) for head, x in zip(self.heads, inputs, strict=True)]
        units = [functional.normalize(z, dim=1) for z in projections]
        return [View(*parts) for parts in zip(inputs, projections, units, labels, strict=True)]


def _scene(count: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Vectors of two modalities that lie about a point for each class; pair i shares a class."""
    labels = _labels(*(i % CLASSES for i in range(count)))
    photo, sketch = (torch.randn(CLASSES, f, generator=_random(f)) for f in SPACE.feature_dims)
    noise = [0.1 * torch.randn(count, f, generator=_random(9)) for f in SPACE.feature_dims]
    return (labels @ photo + noise[0], labels @ sketch + noise[1]), (labels, labels)


@pytest.mark.parametrize("new", OBJECTIVES, ids=str)
def test_objective_brings_classes_of_both_modalities_together(
    new: Callable[[Space], Objective],
) -> None:
    torch.manual_seed(0)
    space = SPACE._replace(budget=SPACE.budget.model_copy(update={"steps": 100}))
    towers, objective = _Towers(space), new(space)
    optimiser = torch.optim.Adam([*towers.parameters(), *objective.parameters()], 0.02)
    inputs, labels = _scene(24)
    losses = []
    for _ in range(space.budget.steps):
        loss = objective.loss(*towers.views(inputs, labels))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        optimiser.step()
        losses.append(loss.item())
    photo, sketch = towers.views(inputs, labels)
    nearest = (photo.embeddings @ sketch.embeddings.T).argmax(dim=1)
    assert (labels[0].argmax(dim=1) == labels[1][nearest].argmax(dim=1)).float().mean() == 1
    read = objective.classify("sketch", sketch.embeddings).argmax(dim=1)
    assert (read == labels[1].argmax(dim=1)).float().mean() > 0.9
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("new", [Contrastive, SemiHardTriplet, MultiViewBottleneck])
def test_probe_learns_without_shaping_the_space(new: Callable[[Space], Probed]) -> None:
    torch.manual_seed(0)
    towers, objective = _Towers(SPACE), new(SPACE)
    photo, sketch = towers.views(*_scene(6))

    def gradients(loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, list(towers.parameters()), retain_graph=True))

    pure = gradients(deepcopy(objective).metric(photo, sketch))
    whole = objective.loss(photo, sketch)
    assert all(torch.equal(a, b) for a, b in zip(pure, gradients(whole), strict=True))
    whole.backward()  # type: ignore[no-untyped-call]  # torch's stub
    assert objective.probe.weight.grad is not None
    assert objective.probe.weight.grad.any()


def test_proxies_of_weight_zero_are_a_probe_of_the_queue_alone() -> None:
    torch.manual_seed(0)
    towers = _Towers(SPACE)
    photo, sketch = towers.views(*_scene(6))
    alone = QueueAndProxies(SPACE, proxy_weight=0.0)
    alone.loss(photo, sketch).backward()  # type: ignore[no-untyped-call]  # torch's stub
    assert alone.proxies.weight.grad is not None
    assert alone.proxies.weight.grad.any()
    found = [p.grad.clone() for p in towers.parameters() if p.grad is not None]
    towers.zero_grad()
    both = QueueAndProxies(SPACE, proxy_weight=1e-12)
    both.loss(*towers.views(*_scene(6))).backward()  # type: ignore[no-untyped-call]  # torch's stub
    expected = [p.grad for p in towers.parameters() if p.grad is not None]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))


def test_queues_hold_the_batches_seen() -> None:
    objective = QueueAndProxies(SPACE)
    photo, sketch = _Towers(SPACE).views(*_scene(6))
    objective.loss(photo, sketch)
    assert torch.equal(objective.photo_queue.read()[0], photo.embeddings)
    assert torch.equal(objective.sketch_queue.read()[1], sketch.posteriors)


def test_proxies_that_are_not_learned_stay() -> None:
    objective = ProxyAnchor(SPACE, learned=False)
    objective.loss(*_Towers(SPACE).views(*_scene(6))).backward()  # type: ignore[no-untyped-call]  # torch's stub
    assert objective.proxies.weight.grad is None


@pytest.mark.parametrize("new", OBJECTIVES, ids=str)
def test_objective_goes_on_from_its_state(new: Callable[[Space], Objective]) -> None:
    torch.manual_seed(0)
    one, other = new(SPACE), new(SPACE)
    views = _Towers(SPACE).views(*_scene(6))
    for _ in range(5):
        one.loss(*views)
    other.load_state_dict(one.state_dict())
    expected = one.loss(*views)
    assert torch.equal(other.loss(*views), expected)
