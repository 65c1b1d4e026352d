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
    for_photos, for_sketches = estimators.draw()
    assert for_photos.shape == (8, 16)
    assert torch.equal(for_photos, for_sketches)
    assert not torch.equal(for_photos, estimators.draw()[0])


def test_sketches_have_one_channel_and_start_as_paper(tmp_path: Path) -> None:
    estimators = PairEstimators(tiny_setting(tmp_path), quick(), None)
    sketches = estimators.sketch(estimators.draw()[1])
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
    for_photos, for_sketches = estimators.draw()
    assert for_photos.shape == (8, 32)
    assert torch.equal(for_photos, for_sketches)
    assert torch.equal(for_photos[:, 16:], estimators.embedding(estimators.drawn_classes["photo"]))


def test_conditional_certainty_is_the_cross_entropy_with_the_given_class(tmp_path: Path) -> None:
    estimators = ConditionalEstimators(tiny_setting(tmp_path), quick(**CONDITIONAL), None)
    estimators.draw()
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    expected = functional.cross_entropy(logits, estimators.drawn_classes["photo"])
    assert torch.allclose(estimators.uncertainty("photo", logits), expected)


@pytest.mark.parametrize(
    ("photo", "sketch", "given"),
    [
        ("acd", "bcd", {(0, 1): 2, (2, 2): 1, (3, 3): 1}),
        ("ac", "abcd", {(0, 0): 1, (0, 1): 1, (2, 2): 1, (2, 3): 1}),
        ("abc", "abc", {(0, 0): 1, (1, 1): 1, (2, 2): 1}),
    ],
)
def test_each_estimator_is_given_classes_that_its_teacher_knows(
    photo: str, sketch: str, given: dict[tuple[int, int], int], tmp_path: Path
) -> None:
    setting = tiny_setting(tmp_path, photo=tuple(photo), sketch=tuple(sketch))
    config = quick(**CONDITIONAL, estimator_batch=len(setting.classes))
    estimators = ConditionalEstimators(setting, config, None)
    estimators.draw()
    pairs = zip(*(estimators.drawn_classes[m].tolist() for m in ("photo", "sketch")), strict=True)
    assert Counter(pairs) == given
    logits = torch.randn(len(setting.classes), len(photo))
    classes = [photo.index("abcd"[y]) for y in estimators.drawn_classes["photo"].tolist()]
    expected = functional.cross_entropy(logits, torch.tensor(classes))
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
