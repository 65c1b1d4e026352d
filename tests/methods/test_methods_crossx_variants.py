"""The ablations of CrossX-DFL: each takes away what its name says, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from crossx_bench import QUICK, images, quick, tiny_setting
from dfbench_baselines.crossx import CrossX, Game
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.crossx_variants import (
    VARIANTS,
    agreeing_pair_targets,
    modality_judge,
    noise_pair_targets,
    under_unified_teacher,
)
from dfbench_baselines.pair_estimators import PairEstimators
from toy import CHANCE, curve, toy_map, toy_setting

from dfbench.errors import UndeclaredNeed
from dfbench.method import Need

NEEDS: Mapping[str, set[Need]] = {
    "zero-step": set(),
    "no-modality": set(),
    "modality-leaky": {Need.LEAKY_MODALITY_CLASSIFIER},
    "released": {Need.LEAKY_MODALITY_CLASSIFIER},
    "unified-teacher": {Need.MODALITY_CLASSIFIER, Need.UNIFIED_TEACHER},
}
SHORT = {"rounds": 3, "estimator_steps": 60, "estimator_batch": 32}
"""Enough for the method to learn; its ablations are given the same."""
ALL_LOSSES = {"one_hot", "entropy", "activation", "alignment", "modality", "adversary"}
ABSENT: Mapping[str, set[str]] = {
    "no-semantic": {"one_hot", "entropy", "activation"},
    "no-one-hot": {"one_hot"},
    "no-entropy": {"entropy"},
    "no-activation": {"activation"},
    "no-modality": {"modality"},
    "no-adversarial": {"adversary"},
    "no-alignment": {"alignment"},
    "no-alignment-masked": {"alignment"},
    "no-alignment-soft": {"alignment"},
    "conditional": {"entropy", "alignment"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_trains_with_exactly_the_needs_it_declares(variant: str, tmp_path: Path) -> None:
    config = CrossXConfig.model_validate({**QUICK, **VARIANTS[variant]})
    needs = CrossX.needs(config)
    assert needs == NEEDS.get(variant, {Need.MODALITY_CLASSIFIER})
    short = config.model_copy(update={"rounds": min(config.rounds, 2)})
    encoders = CrossX(short).fit(tiny_setting(tmp_path, needs=needs))
    for encoder in (encoders.photo, encoders.sketch):
        assert encoder(images()).isfinite().all()
    for need in needs:
        with pytest.raises(UndeclaredNeed):
            CrossX(short).fit(tiny_setting(tmp_path / "less", needs=needs - {need}))


@pytest.mark.parametrize("variant", [*ABSENT, "bn", "hard-pairs", "no-pool"])
def test_estimators_minimise_exactly_the_losses_of_a_variant(variant: str, tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path)
    students = setting.new_students()
    config = CrossXConfig.model_validate({**QUICK, **VARIANTS[variant]})
    losses = Game(setting, config, students).estimators.step(students.eval()).losses
    added = {"batch_norm"} if variant == "bn" else set()
    assert losses.keys() == ALL_LOSSES - ABSENT.get(variant, set()) | added


def test_loss_without_weight_never_reaches_the_estimators(tmp_path: Path) -> None:
    config = quick(one_hot=0.0, adversary=0.0, alignment=0.0, modality=0.0)
    estimate = PairEstimators(tiny_setting(tmp_path), config, None).step(None)
    assert estimate.losses.keys() == {"entropy", "activation"}


def test_variants_that_need_no_guidance_have_no_judge(tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path)
    assert modality_judge(setting, quick(modality=0.0)) is None
    assert modality_judge(setting, quick()) is setting.modality_classifier
    leaky = modality_judge(setting, quick(modality_images="training"))
    assert leaky is setting.leaky_modality_classifier


def test_unified_teacher_stands_in_for_both_and_starts_both_encoders(tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path)
    own = under_unified_teacher(setting)
    assert own.photo_teacher is setting.unified_teacher("photo")
    assert own.sketch_teacher is setting.unified_teacher("sketch")
    assert setting.photo_teacher is not own.photo_teacher
    photo, sketch = own.new_encoder("photo"), own.new_encoder("sketch")
    start = own.photo_teacher.network.backbone.state_dict()["stem.0.weight"]
    assert torch.equal(photo.backbone.state_dict()["stem.0.weight"], start)
    assert torch.equal(sketch.backbone.state_dict()["stem.0.weight"], start)


@pytest.mark.parametrize(("init", "frozen"), [(None, True), ("random", False)])
def test_encoders_start_as_the_variant_says(init: str, frozen: bool, tmp_path: Path) -> None:
    encoders = CrossX(quick(encoder_init=init, rounds=0)).fit(tiny_setting(tmp_path))
    assert encoders.photo.frozen_statistics is frozen
    assert encoders.sketch.frozen_statistics is frozen


def test_noise_pairs_have_their_partner_as_only_positive_whatever_its_class() -> None:
    p, q = torch.eye(3), torch.eye(3)[[2, 1, 0, 0, 1]]
    assert torch.equal(noise_pair_targets(p, q), torch.eye(3, 5))


def test_agreeing_pairs_lose_their_positive_where_teachers_disagree() -> None:
    p, q = torch.eye(3), torch.eye(3)[[2, 1, 0, 0, 1]]
    expected = torch.zeros(3, 5)
    expected[1, 1] = 1
    assert torch.equal(agreeing_pair_targets(p, q), expected)


@pytest.mark.parametrize("variant", ["default", "conditional"])
def test_crossx_learns_to_retrieve_images_nobody_has_seen(variant: str, tmp_path: Path) -> None:
    config = CrossXConfig.model_validate({**VARIANTS.get(variant, {}), "modality": 0.0, **SHORT})
    setting = toy_setting(tmp_path, steps=60)
    assert toy_map(CrossX(config).fit(setting)) > CHANCE + 0.2
    losses = curve(tmp_path, "crossx", "students")
    assert sum(losses[-2:]) < sum(losses[:2])  # the first batch has an empty queue
    agreement = curve(tmp_path, "crossx", "agreement")
    assert agreement[-1] > 0.6


def test_released_manner_learns_nothing_of_use(tmp_path: Path) -> None:
    config = CrossXConfig.model_validate({**VARIANTS["released"], "modality": 0.0})
    short = config.model_copy(update=SHORT)
    assert toy_map(CrossX(short).fit(toy_setting(tmp_path, steps=60))) < CHANCE + 0.2
