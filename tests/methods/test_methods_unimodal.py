"""Uni-modal distillation: two runs that have nothing in common but fixed class codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.single_estimator import SingleEstimator
from dfbench_baselines.unimodal_distillation import (
    TwoDistillations,
    UnimodalConfig,
    UnimodalDistillation,
)
from toy import CHANCE, CLASSES, curve, toy_map, toy_setting

from dfbench.budget import Budget
from dfbench.learning.objective import Space, View
from dfbench.learning.objectives.class_codes import ClassCodes, class_codes
from dfbench.learning.students import Students
from dfbench.modality import MODALITIES
from dfbench.networks import Encoders

QUICK: Mapping[str, Any] = {
    "estimator_batch": 16,
    "estimator_width": 8,
    "latent_dim": 8,
    "warm_up": 0,
    "student_steps": 1,
    "pool_batches": 0,
}
POOL = {**QUICK, "warm_up": 20, "student_steps": 4, "pool_batches": 10}
DFQ = {**UnimodalDistillation.variants["dfq"], **POOL}


def _config(**changes: Any) -> UnimodalConfig:
    return UnimodalConfig.model_validate({**QUICK, **changes})


def _view(embeddings: torch.Tensor, posteriors: torch.Tensor) -> View:
    return View(embeddings, embeddings, embeddings, posteriors)


@pytest.mark.parametrize("count", [2, 5, 16])
def test_class_codes_are_unit_vectors_equally_far_from_each_other(count: int) -> None:
    torch.manual_seed(0)
    cosines = class_codes(count, 16) @ class_codes(count, 16).T
    assert cosines.shape == (count, count)
    codes = class_codes(count, 16)
    expected = torch.full((count, count), -1 / (count - 1)).fill_diagonal_(1)
    assert torch.allclose(codes @ codes.T, expected, atol=1e-5)


def test_more_classes_than_dimensions_have_unit_codes_too() -> None:
    codes = class_codes(40, 16)
    assert torch.allclose(codes.norm(dim=1), torch.ones(40), atol=1e-6)
    assert (codes @ codes.T).fill_diagonal_(0).abs().max() < 1


def test_loss_is_the_cross_entropy_with_scaled_cosines_of_both_modalities() -> None:
    objective = ClassCodes(Space(2, (4, 4), Budget(embedding_dim=2, proxy_scale=3.0)))
    code = objective.photo_codes[0]
    p, q = torch.tensor([[0.8, 0.2]]), torch.tensor([[0.0, 1.0]])
    loss = objective.loss(_view(code.unsqueeze(0), p), _view(code.unsqueeze(0), q))
    # Two corners of a simplex are opposite: cosines 1 and -1, logits 3 and -3.
    log_total = math.log(math.exp(3) + math.exp(-3))
    expected = -(0.8 * (3 - log_total) + 0.2 * (-3 - log_total)) - (-3 - log_total)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_modalities_share_their_codes_unless_they_are_separate() -> None:
    space = Space(3, (4, 4), Budget(embedding_dim=8))
    shared, separate = ClassCodes(space), ClassCodes(space, separate=True)
    assert torch.equal(shared.photo_codes, shared.sketch_codes)
    assert not torch.allclose(separate.photo_codes, separate.sketch_codes)
    assert not list(shared.parameters())


@pytest.mark.parametrize("adversary", [False, True])
def test_what_one_modality_learns_does_not_depend_on_the_other(
    adversary: bool, tmp_path: Path
) -> None:
    changes = {"adversary": 1.0, "pool_batches": 3} if adversary else {}

    def photo_weights(name: str, sketch: tuple[str, ...]) -> dict[str, torch.Tensor]:
        setting = toy_setting(tmp_path / name, sketch=sketch, steps=4)
        encoders = UnimodalDistillation(_config(**changes)).fit(setting)
        return encoders.photo.state_dict()

    one, two = photo_weights("one", CLASSES), photo_weights("two", CLASSES[::-1])
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_estimators_draw_noise_of_their_own(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path)
    photo, sketch = (SingleEstimator(setting, _config(), m) for m in MODALITIES)
    photo.network.load_state_dict(
        {**sketch.network.state_dict(), **_last_layer(photo)}, strict=True
    )
    assert not torch.allclose(photo(4)[:, 0], sketch(4)[:, 0], atol=1e-3)


def _last_layer(estimator: SingleEstimator) -> dict[str, torch.Tensor]:
    return {n: t for n, t in estimator.network.state_dict().items() if n.startswith("to_image")}


def test_weight_multiplies_the_loss_it_is_named_after(tmp_path: Path) -> None:
    def first_step(place: str, **changes: Any) -> dict[str, torch.Tensor]:
        config = _config(**{"one_hot": 1.0, "entropy": 1.0, "activation": 1.0, **changes})
        estimator = SingleEstimator(toy_setting(tmp_path / place), config, "sketch")
        return estimator.step(None)[1]

    one = first_step("one")
    weighted = first_step("two", one_hot=2.0, entropy=3.0, activation=4.0, batch_norm=1.0)
    for name, weight in (("one_hot", 2), ("entropy", 3), ("activation", 4)):
        assert weighted[f"sketch {name}"] == pytest.approx(
            weight * one[f"sketch {name}"].item(), rel=1e-4
        )
    assert "sketch batch_norm" not in one
    assert weighted["sketch batch_norm"] > 0


def test_students_are_as_free_after_the_adversary_as_before(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, steps=3)
    encoders = UnimodalDistillation(_config(adversary=1.0)).fit(setting)
    assert all(parameter.requires_grad for parameter in encoders.photo.parameters())
    assert curve(tmp_path, "distillation", "photo adversary")


def test_budget_alone_says_how_many_steps_students_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    step = Students.step
    monkeypatch.setattr(Students, "step", lambda *pairs: steps.append(1) or step(*pairs))
    UnimodalDistillation(_config(warm_up=3, student_steps=2)).fit(toy_setting(tmp_path, steps=5))
    assert len(steps) == 5


@pytest.mark.parametrize("config", [QUICK, POOL, DFQ], ids=["no-pool", "dafl", "dfq"])
def test_losses_fall_and_encoders_beat_chance(config: Mapping[str, Any], tmp_path: Path) -> None:
    method = UnimodalDistillation(UnimodalConfig.model_validate(config))
    encoders = method.fit(toy_setting(tmp_path))
    students = curve(tmp_path, "distillation", "students")
    assert students[-1] < students[0] - 0.3
    assert curve(tmp_path, "distillation", "photo entropy")[-1] < 0
    assert toy_map(encoders.representations["posterior"]) > CHANCE + 0.1
    for modality in MODALITIES:
        assert (tmp_path / "pictures" / f"generated-{modality}-images.png").exists()


class KilledError(Exception):
    pass


def test_killed_run_goes_on_and_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(adversary=1.0, batch_norm=1.0, warm_up=1, student_steps=2, pool_batches=2)

    def fit(name: str) -> Encoders:
        setting = toy_setting(tmp_path / name, steps=6, checkpoint_seconds=0)
        return UnimodalDistillation(config).fit(setting)

    whole = fit("whole")
    draw = TwoDistillations._draw
    drawn: list[int] = []

    def dying(self: TwoDistillations) -> Any:
        drawn.append(1)
        if len(drawn) == 4:
            raise KilledError
        return draw(self)

    with monkeypatch.context() as patch:
        patch.setattr(TwoDistillations, "_draw", dying)
        with pytest.raises(KilledError):
            fit("killed")
    resumed = fit("killed")
    for one, two in zip(
        whole.sketch.state_dict().values(), resumed.sketch.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two)


@pytest.mark.parametrize(("warm_up", "expected"), [(150, 4), (1, 3), (0, 2)])
def test_warm_up_is_limited_by_the_steps_of_the_budget(
    tmp_path: Path, warm_up: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = toy_setting(tmp_path, steps=2)
    begun: list[int] = []
    loop = setting.loop

    def counted(name: str, steps: int, state: Any) -> Any:
        begun.append(steps)
        return loop(name, steps, state)

    monkeypatch.setattr(setting, "loop", counted)
    UnimodalDistillation(_config(warm_up=warm_up)).fit(setting)
    assert begun == [expected]
