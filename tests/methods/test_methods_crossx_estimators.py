"""The estimators of CrossX-DFL and their class-conditional twin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from crossx_bench import images, quick, tiny_setting
from dfbench_baselines.conditional_estimators import ConditionalEstimators, balanced_classes
from dfbench_baselines.pair_estimators import PairEstimators
from torch.nn import functional

from dfbench.learning.estimation import class_misalignment

CONDITIONAL = {"entropy": 0.0, "alignment": 0.0, "modality": 0.0, "activation": 0.0}


@pytest.mark.parametrize("kind", [PairEstimators, ConditionalEstimators])
def test_estimators_learn_what_their_losses_ask(kind: type[PairEstimators], tmp_path: Path) -> None:
    config = quick(modality=0.0, estimator_batch=24)
    estimators = kind(tiny_setting(tmp_path), config, None)
    totals = [sum(estimators.step(None).losses.values()).item() for _ in range(30)]
    assert sum(totals[-5:]) < sum(totals[:5]) - 0.1


def test_pair_comes_from_one_noise(tmp_path: Path) -> None:
    estimators = PairEstimators(tiny_setting(tmp_path), quick(), None)
    shared = estimators.draw()
    assert shared.shape == (8, 16)
    assert not torch.equal(shared, estimators.draw())


def test_sketches_have_one_channel_and_start_as_paper(tmp_path: Path) -> None:
    estimators = PairEstimators(tiny_setting(tmp_path), quick(), None)
    sketches = estimators.sketch(estimators.draw())
    assert torch.equal(sketches[:, 0], sketches[:, 2])
    assert sketches.mean() > 0.75


def test_exclusive_classes_are_no_misalignment(tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path, photo=("a", "b"), sketch=("b", "c"))
    estimate = PairEstimators(setting, quick(), None).step(None)
    p, q = (torch.stack([t[:, 1], 1 - t[:, 1]], dim=1) for t in (estimate.p, estimate.q))
    expected = quick().alignment * class_misalignment(p, q)
    assert torch.allclose(estimate.losses["alignment"], expected, atol=1e-5)


def test_both_conditional_estimators_are_told_the_same_class(tmp_path: Path) -> None:
    estimators = ConditionalEstimators(tiny_setting(tmp_path), quick(), None)
    shared = estimators.draw()
    expected = estimators.embedding(estimators.given)
    assert shared.shape == (8, 32)
    assert torch.equal(shared[:, 16:], expected)


def test_conditional_certainty_is_the_cross_entropy_with_the_given_class(tmp_path: Path) -> None:
    estimators = ConditionalEstimators(tiny_setting(tmp_path), quick(**CONDITIONAL), None)
    estimators.draw()
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    expected = functional.cross_entropy(logits, estimators.given)
    assert torch.allclose(estimators.uncertainty("photo", logits), expected)


def test_teacher_has_no_say_about_given_classes_it_does_not_know(tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path, photo=("a", "c"), sketch=("b", "c"))
    estimators = ConditionalEstimators(setting, quick(estimator_batch=3), None)
    estimators.draw()
    logits = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
    errors = {
        int(y): -logits[i].log_softmax(0)[0 if y == 0 else 1]
        for i, y in enumerate(estimators.given)
        if y != 1
    }
    expected = torch.stack(list(errors.values())).mean()
    assert torch.allclose(estimators.uncertainty("photo", logits), expected)


def test_class_embedding_is_trained_with_the_estimators(tmp_path: Path) -> None:
    estimators = ConditionalEstimators(tiny_setting(tmp_path), quick(**CONDITIONAL), None)
    before = estimators.embedding.weight.detach().clone()
    estimators.step(None)
    assert not torch.equal(estimators.embedding.weight, before)


def test_balanced_classes_occur_equally_often_up_to_one() -> None:
    counts = Counter(balanced_classes(96, 20, torch.Generator().manual_seed(1)).tolist())
    assert sorted(counts) == list(range(20))
    assert max(counts.values()) - min(counts.values()) == 1


def test_adversary_sees_students_as_they_are(tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path)
    students = setting.new_students().eval()
    before = students.classify("photo", images()).detach()
    estimate = PairEstimators(setting, quick(), setting.modality_classifier).step(students)
    assert "adversary" in estimate.losses
    assert torch.equal(students.classify("photo", images()), before)
