"""The Gaussian prior: noise in the teachers' input space, labelled by them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from dfbench_baselines.gaussian_prior import GaussianPrior, GaussianPriorConfig, LabelledNoise
from toy import CHANCE, CLASSES, curve, toy_map, toy_setting, toy_teacher

from dfbench.modality import MODALITIES
from dfbench.networks import Normaliser


def test_teachers_see_standard_normal_noise_that_nothing_clamps(tmp_path: Path) -> None:
    noise = LabelledNoise(toy_setting(tmp_path, batch_size=200), candidates=1)
    for modality, images in zip(MODALITIES, noise.draw()[:2], strict=True):
        seen = Normaliser.of(modality)(images)
        # Balancing repeats images of rare classes, and the mean of a single image varies by .036.
        assert seen.mean().item() == pytest.approx(0, abs=0.1)
        assert seen.std().item() == pytest.approx(1, abs=0.1)
        assert images.max() > 1
        assert images.min() < 0


def test_noise_is_fresh_at_every_step_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    first, second = (LabelledNoise(toy_setting(tmp_path), 2) for _ in range(2))
    one = first.draw()
    assert torch.equal(one.photos, second.draw().photos)
    assert not torch.equal(one.photos, first.draw().photos)


def test_noise_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    first, resumed = (LabelledNoise(toy_setting(tmp_path), 2) for _ in range(2))
    first.draw()
    stored = {name: deepcopy(item.state_dict()) for name, item in first.state().items()}
    expected = first.draw()
    for name, item in resumed.state().items():
        item.load_state_dict(stored[name])
    assert torch.equal(resumed.draw().sketches, expected.sketches)
    assert torch.equal(resumed.decisions, first.decisions)


def test_pairs_are_of_one_decision_in_equal_shares_of_what_occurs(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, batch_size=300)
    pairs = LabelledNoise(setting, candidates=4).draw()
    photos = setting.label("photo", pairs.photos).argmax(dim=1)
    sketches = setting.label("sketch", pairs.sketches).argmax(dim=1)
    without_partner = ~torch.isin(photos, sketches) | ~torch.isin(sketches, photos)
    assert not without_partner.all()
    assert torch.equal(photos[~without_partner], sketches[~without_partner])
    counts = max(photos.bincount(), sketches.bincount(), key=lambda c: int((c > 0).sum()))
    occurring = counts[counts > 0]
    assert len(occurring) > 1
    assert occurring.max() < 1.5 * occurring.min()


def test_decisions_for_noise_are_counted_and_left_beside_the_run(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, steps=3)
    GaussianPrior(GaussianPriorConfig(candidates=2)).fit(setting)
    told = json.loads((tmp_path / "pictures" / "noise-decisions.json").read_text())
    for modality in MODALITIES:
        assert set(told[modality]) == set(CLASSES)
        assert sum(told[modality].values()) == 3 * 2 * setting.budget.batch_size
    assert (tmp_path / "pictures" / "noise-pairs.png").exists()


def test_loss_falls_on_noise_and_encoders_beat_chance(tmp_path: Path) -> None:
    method = GaussianPrior(GaussianPriorConfig(candidates=1))
    encoders = method.fit(toy_setting(tmp_path))
    losses = curve(tmp_path, "students", "students")
    assert losses[-1] < losses[0] - 1
    assert toy_map(encoders) > CHANCE + 0.05


def test_random_init_starts_from_nothing_whatever_the_budget_says(tmp_path: Path) -> None:
    method = GaussianPrior(
        GaussianPriorConfig.model_validate(GaussianPrior.variants["random-init"])
    )
    encoders = method.fit(toy_setting(tmp_path, steps=0))
    start = encoders.photo.backbone.state_dict()["stages.0.conv1.weight"]
    taught = toy_teacher("photo").network.backbone.state_dict()["stages.0.conv1.weight"]
    assert not torch.equal(start, taught)
    assert not encoders.photo.frozen_statistics
