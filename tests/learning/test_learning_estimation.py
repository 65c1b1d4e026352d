from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.learning.estimation import (
    OtherBin,
    class_absence,
    class_imbalance,
    class_misalignment,
    inactivity,
    modality_confusion,
    one_hotness,
    student_agreement,
)

seeds = st.integers(0, 2**31 - 1)
classes = st.integers(2, 7)


def _posterior(seed: int, count: int, sharpness: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(9, count, generator=generator)).softmax(dim=1)


@settings(deadline=None, max_examples=50)
@given(seeds, seeds, classes)
def test_misalignment_is_symmetric_and_at_most_ln_2(one: int, two: int, count: int) -> None:
    p, q = _posterior(one, count), _posterior(two, count)
    divergence = class_misalignment(p, q).item()
    assert divergence == pytest.approx(class_misalignment(q, p).item(), abs=1e-6)
    assert -1e-6 <= divergence <= math.log(2) + 1e-6


def test_misalignment_of_opposite_decisions_is_ln_2() -> None:
    p = torch.tensor([[1.0, 0.0]])
    assert class_misalignment(p, p.flip(1)).item() == pytest.approx(math.log(2), abs=1e-6)


def test_misalignment_is_zero_only_where_posteriors_are_equal() -> None:
    p = _posterior(0, 4)
    assert class_misalignment(p, p).item() == pytest.approx(0, abs=1e-6)
    assert class_misalignment(p, p.roll(1, dims=1)).item() > 0.01


def test_misalignment_equals_the_mean_of_both_divergences_from_the_mixture() -> None:
    p, q = _posterior(1, 5), _posterior(2, 5)
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        for x, y in zip(a, b, strict=True):
            m = (x + y) / 2
            total += (x * math.log(x / m) + y * math.log(y / m)) / 2
    assert class_misalignment(p, q).item() == pytest.approx(total / len(p), abs=1e-5)


def test_misalignment_moves_both_sides() -> None:
    p, q = _posterior(1, 5).requires_grad_(), _posterior(2, 5).requires_grad_()
    class_misalignment(p, q).backward()
    assert p.grad is not None
    assert q.grad is not None
    assert p.grad.abs().max() > 0
    assert q.grad.abs().max() > 0


def test_misalignment_of_certain_posteriors_has_finite_gradients() -> None:
    logits = torch.tensor([[500.0, -500.0]], requires_grad=True)
    class_misalignment(logits.softmax(dim=1), logits.flip(1).softmax(dim=1)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_classes_that_one_teacher_alone_knows_share_one_bin() -> None:
    p = torch.tensor([[0.5, 0.2, 0.3, 0.0], [0.0, 0.1, 0.2, 0.7]])
    shared = torch.tensor([True, False, True, False])
    expected = torch.tensor([[0.5, 0.3, 0.2], [0.0, 0.2, 0.8]])
    assert torch.allclose(OtherBin(shared)(p), expected)
    assert OtherBin(torch.ones(4, dtype=torch.bool))(p) is p


def test_one_hotness_vanishes_for_certain_decisions_and_is_ln_c_for_none() -> None:
    assert one_hotness(100 * torch.eye(4)).item() == pytest.approx(0, abs=1e-6)
    assert one_hotness(torch.zeros(3, 4)).item() == pytest.approx(math.log(4))


@settings(deadline=None, max_examples=30)
@given(seeds, classes)
def test_class_imbalance_is_minus_the_entropy_of_the_mean_posterior(seed: int, count: int) -> None:
    logits = torch.randn(9, count, generator=torch.Generator().manual_seed(seed))
    mean = logits.softmax(dim=1).mean(dim=0).tolist()
    expected = sum(x * math.log(x) for x in mean)
    assert class_imbalance(logits).item() == pytest.approx(expected, abs=1e-5)
    assert -math.log(count) - 1e-6 <= class_imbalance(logits).item() <= 1e-6


def test_class_imbalance_is_least_when_every_class_is_made_and_most_for_one_class() -> None:
    balanced, collapsed = 100 * torch.eye(4), 100 * torch.eye(4)[[0, 0, 0, 0]]
    assert class_imbalance(balanced).item() == pytest.approx(-math.log(4), abs=1e-5)
    assert class_imbalance(collapsed).item() == pytest.approx(0, abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(seeds, classes)
def test_class_absence_is_the_divergence_of_equal_shares_from_the_mean_posterior(
    seed: int, count: int
) -> None:
    logits = torch.randn(9, count, generator=torch.Generator().manual_seed(seed))
    mean = logits.softmax(dim=1).mean(dim=0).tolist()
    expected = sum(math.log(1 / count / x) / count for x in mean)
    assert class_absence(logits).item() == pytest.approx(expected, abs=1e-5)


def test_class_absence_calls_back_a_lost_class_where_entropy_has_ceased_to() -> None:
    logits = torch.tensor([[30.0, 30.0, 0.0]]).repeat(4, 1).requires_grad_()
    (lost,) = torch.autograd.grad(class_imbalance(logits), logits)
    (called,) = torch.autograd.grad(class_absence(logits), logits)
    assert lost[:, 2].abs().max() < 1e-9
    assert called[:, 2].sum().item() == pytest.approx(-1 / 3, abs=1e-5)


def test_inactivity_falls_as_features_grow_in_either_direction() -> None:
    features = torch.tensor([[1.0, -3.0]])
    assert inactivity(features).item() == pytest.approx(-2)
    assert inactivity(2 * features) < inactivity(features)


def test_modality_confusion_is_least_for_photos_below_and_sketches_above_zero() -> None:
    right = modality_confusion(torch.full((4,), -20.0), torch.full((4,), 20.0))
    wrong = modality_confusion(torch.full((4,), 20.0), torch.full((4,), -20.0))
    unsure = modality_confusion(torch.zeros(4), torch.zeros(4))
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert unsure.item() == pytest.approx(2 * math.log(2))
    assert wrong.item() == pytest.approx(40, abs=1e-3)


@settings(deadline=None, max_examples=50)
@given(seeds, seeds, classes, st.floats(0.1, 30))
def test_adversary_is_bounded_by_the_range_of_the_proxies_logits(
    one: int, two: int, count: int, scale: float
) -> None:
    teacher = _posterior(one, count)
    cosines = 2 * torch.rand(9, count, generator=torch.Generator().manual_seed(two)) - 1
    loss = student_agreement(teacher, scale * cosines).item()
    assert -(2 * scale + math.log(count)) <= loss <= 1e-5


def test_adversary_is_silent_where_student_and_teacher_disagree() -> None:
    teacher = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    student = torch.tensor([[0.0, 5.0], [5.0, 0.0]], requires_grad=True)
    loss = student_agreement(teacher, student)
    loss.backward()
    assert loss.item() == 0
    assert student.grad is not None
    assert not student.grad.any()


def test_adversary_counts_only_the_images_on_which_both_agree() -> None:
    teacher = torch.tensor([[0.9, 0.1], [0.9, 0.1]])
    student = torch.tensor([[0.5, 0.0], [0.0, 5.0]])
    log_s = student[0].log_softmax(0)
    expected = -sum(t * (math.log(t) - s) for t, s in ((0.9, log_s[0]), (0.1, log_s[1]))) / 2
    assert student_agreement(teacher, student).item() == pytest.approx(float(expected), abs=1e-5)


def test_adversary_pushes_the_student_away_from_the_teacher() -> None:
    teacher = torch.tensor([[0.9, 0.1]])
    student = torch.tensor([[0.5, 0.0]], requires_grad=True)
    student_agreement(teacher, student).backward()
    assert student.grad is not None
    assert student.grad[0, 0] > 0
