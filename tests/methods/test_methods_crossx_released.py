"""The bug study has the faults that its documentation names, and no others by accident."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from crossx_bench import QUICK, images, tiny_setting
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.crossx_variants import VARIANTS
from dfbench_baselines.released import ReleasedGame
from dfbench_baselines.released_faults import (
    FrozenQueue,
    RawTanh,
    log10_imbalance,
    one_sided_misalignment,
    standardised_by_thirds,
    unbounded_agreement,
)
from torch.nn import functional

from dfbench.errors import InvalidConfig
from dfbench.learning.estimation import class_imbalance, student_agreement
from dfbench.networks import Estimator, Normaliser


def test_raw_tanh_reaches_networks_within_minus_one_and_one_and_never_white_paper() -> None:
    normaliser = Normaliser.of("photo")
    estimator = Estimator(4, 16, channels=3, width=8, brightness=50.0)
    made = RawTanh(estimator, normaliser)(torch.randn(2, 4))
    assert torch.allclose(normaliser(made), torch.ones(2, 3, 16, 16), atol=1e-5)
    assert made.max() < 0.74


def test_balance_by_log10_is_the_natural_one_over_ln_10() -> None:
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    expected = class_imbalance(logits).item() / math.log(10)
    assert log10_imbalance(logits).item() == pytest.approx(expected, abs=1e-5)


def test_balance_without_guard_is_nan_once_a_class_is_never_made() -> None:
    assert log10_imbalance(torch.tensor([[0.0, -200.0]])).isnan()


def test_one_sided_alignment_never_moves_the_sketch_estimator() -> None:
    photo = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sketch = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = one_sided_misalignment(photo, sketch)
    q, log_p, log_q = sketch.softmax(1), photo.log_softmax(1), sketch.log_softmax(1)
    expected = (q * (log_q - log_p)).sum(dim=1).mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    loss.backward()
    assert photo.grad is not None
    assert sketch.grad is None


def test_released_adversary_gains_without_end_where_the_mended_one_is_silent() -> None:
    teacher = torch.tensor([[0.9, 0.1]])
    wrong = torch.tensor([[0.0, 500.0]])
    assert unbounded_agreement(wrong, torch.tensor([0])).item() == pytest.approx(-500)
    assert student_agreement(teacher, wrong).item() == 0


def test_thirds_of_the_batch_stand_for_channels() -> None:
    batch = torch.zeros(3, 3, 2, 2)
    batch[0], batch[1], batch[2] = 1.0, 2.0, 3.0
    batch[:, :, 0, 0] += 0.5
    out = standardised_by_thirds(batch)
    std = batch[0].std().item()
    for channel in range(3):
        mean = batch[channel].mean().item()
        assert torch.allclose(out[:, channel], (batch[:, channel] - mean) / std, atol=1e-5)
    assert not torch.allclose(out.mean(dim=(0, 2, 3)), torch.zeros(3), atol=0.1)


def test_queue_that_never_changes_is_solved_by_collapse() -> None:
    torch.manual_seed(0)
    queue = FrozenQueue(64)
    before = queue.directions.clone()
    away = functional.normalize(-queue.directions.mean(dim=0), dim=0).expand(16, -1)
    spread = functional.normalize(torch.randn(2, 16, 64), dim=2)
    assert queue.loss(away, away) < 0.05
    assert queue.loss(spread[0], spread[1]) > 4
    assert torch.equal(queue.directions, before)


def test_partner_of_the_released_queue_is_detached() -> None:
    e, k = torch.eye(4, 8).requires_grad_(), torch.eye(4, 8).requires_grad_()
    FrozenQueue(8).loss(e, k).backward()
    assert e.grad is not None
    assert k.grad is None


def _game(place: Path, **changes: object) -> ReleasedGame:
    config = {**VARIANTS["released"], **QUICK, **changes}
    return ReleasedGame(tiny_setting(place), CrossXConfig.model_validate(config))


def test_released_encoders_are_cold_headless_and_learn_once_a_round(tmp_path: Path) -> None:
    game = _game(tmp_path, rounds=2, estimator_steps=6)
    start = {name: t.clone() for name, t in game.photo.state_dict().items()}
    encoders = game.play()
    assert encoders.photo(images()).shape == (5, 64)
    assert not encoders.representations
    seen = "encoder.backbone.stem.1.num_batches_tracked"
    assert game.photo.state_dict()[seen] == 6 + 2, (
        "statistics of raw images and of training images alike"
    )
    moved = "encoder.backbone.stem.0.weight"
    assert not torch.equal(game.photo.state_dict()[moved], start[moved])


def test_released_manner_refuses_teachers_of_different_classes(tmp_path: Path) -> None:
    setting = tiny_setting(tmp_path, photo=("a", "b"), sketch=("b", "c"))
    config = CrossXConfig.model_validate({**VARIANTS["released"], **QUICK})
    with pytest.raises(InvalidConfig, match=r"2 and 2 classes .* allowed: teachers of the same"):
        ReleasedGame(setting, config)


def test_released_game_leaves_a_picture_of_its_pairs(tmp_path: Path) -> None:
    _game(tmp_path).play()
    assert (tmp_path / "pictures" / "generated-pairs.png").exists()
