"""Data-dependent references: the same encoders on real pairs, and on generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.references import (
    MIB,
    CrossXData,
    Reference,
    ReferenceConfig,
    Siamese,
    Triplet,
)
from toy import CHANCE, CLASSES, curve, toy_images, toy_map, toy_setting

from dfbench.errors import UndeclaredNeed
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.learning.pool import LabelledPairs, PairPool, Pairs
from dfbench.learning.students import Students
from dfbench.method import Method, Need
from dfbench.modality import MODALITIES

TRAINING = {Need.TRAINING_DATA: {m: toy_images(m, 240, seed=1) for m in MODALITIES}}
OBJECTIVES: list[type[Reference]] = [Siamese, Triplet, MIB]
REFERENCES: list[type[Method]] = [*OBJECTIVES, CrossXData]


def _generated() -> dict[Need, Any]:
    """Pairs of one class, as good estimators would make them."""
    return {Need.GENERATED_PAIRS: PairPool.of(*(toy_images(m, 240, 1)[0] for m in MODALITIES))}


@pytest.mark.parametrize("reference", REFERENCES)
def test_reference_learns_real_pairs(reference: type[Method], tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoders = reference(reference.Config()).fit(toy_setting(tmp_path, TRAINING))
    losses = curve(tmp_path, "students", "students")
    # The tenth step and not the last: the bottleneck of MIB narrows later on.
    assert losses[1] < losses[0] - 1
    assert toy_map(encoders) > CHANCE + 0.4
    assert toy_map(encoders.representations["posterior"]) > CHANCE + 0.15


@pytest.mark.parametrize("reference", OBJECTIVES)
def test_objective_learns_generated_pairs_without_data(
    reference: type[Reference], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    method = reference(ReferenceConfig(images="generated"))
    encoders = method.fit(toy_setting(tmp_path, _generated()))
    assert toy_map(encoders) > CHANCE + 0.4


@pytest.mark.parametrize("reference", REFERENCES)
def test_reference_declares_training_data_and_its_generated_twin_the_pairs_of_crossx(
    reference: type[Method],
) -> None:
    assert reference.needs(reference.Config()) == {Need.TRAINING_DATA}
    assert reference.pairs_of(reference.Config()) is None
    for changes in reference.variants.values():
        config = reference.Config.model_validate(changes)
        assert reference.needs(config) == {Need.GENERATED_PAIRS}
        assert reference.pairs_of(config) == "crossx"


def test_generated_twin_cannot_see_training_images(tmp_path: Path) -> None:
    with pytest.raises(UndeclaredNeed):
        Siamese(ReferenceConfig(images="generated")).fit(toy_setting(tmp_path, TRAINING))


def test_real_pairs_carry_their_true_classes() -> None:
    sources = [ClassedImages(*toy_images(m, 60, seed=1)) for m in MODALITIES]
    pairs = ClassPairs(*sources, torch.Generator().manual_seed(0)).draw_labelled(40, 5)
    assert torch.equal(pairs.p, pairs.q)
    assert pairs.p.shape == (40, 5)
    for source, images, labels in zip(sources, pairs[:2], pairs[2:], strict=True):
        for image, label in zip(images, labels, strict=True):
            [row] = ((source.images / 255 - image).abs().amax(dim=(1, 2, 3)) < 1e-3).nonzero()
            assert label.tolist() == [float(i == source.classes[row]) for i in range(5)]


def _first_labels(students: Students, pairs: Pairs | LabelledPairs) -> torch.Tensor:
    seen = []
    before = students.objective.loss

    def watched(photo: Any, sketch: Any) -> torch.Tensor:
        seen.append(photo.posteriors)
        return before(photo, sketch)

    students.objective.loss = watched  # type: ignore[method-assign]  # to see what it is given
    students.step(pairs)
    return seen[0]


def test_labels_of_pairs_are_used_and_missing_ones_come_from_the_teachers(tmp_path: Path) -> None:
    images = [toy_images(m, 24, seed=1)[0] / 255 for m in MODALITIES]
    p = torch.eye(len(CLASSES))[torch.zeros(24, dtype=torch.long)]
    setting = toy_setting(tmp_path)
    given = _first_labels(setting.new_students(), LabelledPairs(*images, p, p))
    assert torch.equal(given, p)
    asked = _first_labels(setting.new_students(), Pairs(*images))
    assert not torch.equal(asked, p)
    assert torch.allclose(asked.sum(dim=1), torch.ones(24), atol=1e-5)
