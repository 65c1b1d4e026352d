"""The zero-shot reference: one network, quadruplets, and what its start knew of other classes."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.quadruplet import Quadruplet
from dfbench_baselines.quadruplet_network import QuadrupletConfig
from torch.nn import functional
from toy import CHANCE, CLASSES, SIZE, curve, toy_images, toy_map, toy_setting

from dfbench.errors import UndeclaredNeed
from dfbench.learning.objectives.triplet import (
    class_semantics,
    preservation_loss,
    quadruplet_loss,
)
from dfbench.method import Need
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Classifier, Normaliser
from dfbench.teachers.teacher import Teacher


def _initial(modality: Modality) -> Teacher:
    torch.manual_seed(7)
    network = Classifier("resnet-tiny", Normaliser.of(modality), 4, SIZE)
    return Teacher(modality, ("v", "w", "x", "y"), network)


def _supplies(classes: dict[Modality, tuple[str, ...]] | None = None) -> dict[Need, Any]:
    training = {}
    for modality in MODALITIES:
        images, labels = toy_images(modality, 240, seed=1)
        known = classes[modality] if classes else CLASSES
        kept = torch.tensor([name in known for name in CLASSES])[labels]
        training[modality] = images[kept], labels[kept]
    return {
        Need.TRAINING_DATA: training,
        Need.INITIAL_CLASSIFIER: {m: _initial(m) for m in MODALITIES},
    }


def _one_hot(*labels: int) -> torch.Tensor:
    return torch.eye(2)[list(labels)]


def _at(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_quadruplet_has_a_negative_of_either_modality() -> None:
    # Squared distance of unit vectors at an angle a: 2 - 2 cos a; 60 degrees are 1, 90 are 2.
    photos, sketches = _at(0, 90), _at(60, 180)
    p, q = _one_hot(0, 1), _one_hot(0, 1)
    # photo 0: + 1, n1 (photo 1) 2, n2 (sketch 1) 4: no cost. photo 1: + 2, n1 2, n2 (60) 2 - 3^.5.
    of_photos = 0.2 + (0.2 + 2 - (2 - 3**0.5))
    # sketch 0: + 1, n1 (sketch 1) 3, n2 (photo 1) 2 - 3^.5. sketch 1: + 2, n1 3, n2 (photo 0) 4.
    of_sketches = 0.2 + 1 - (2 - 3**0.5)
    expected = (of_photos / 2 + of_sketches / 2) / 2
    assert float(quadruplet_loss(photos, sketches, p, q)) == pytest.approx(expected, abs=1e-5)


def _naive(anchors: Any, others: Any, p: list[int], q: list[int], margin: float) -> float:
    """One modality's anchors, pair by pair."""

    def semi_hard(positive: float, negatives: list[float]) -> float:
        return min((n for n in negatives if n > positive), default=max(negatives, default=0.0))

    costs = []
    for a, own in zip(anchors, p, strict=True):
        within = [_gap(a, x) for x, c in zip(anchors, p, strict=True) if c != own]
        across = [_gap(a, x) for x, c in zip(others, q, strict=True) if c != own]
        for x, c in zip(others, q, strict=True):
            if c == own and within and across:
                d = _gap(a, x)
                negatives = (semi_hard(d, within), semi_hard(d, across))
                costs.append(sum(max(0.0, margin + d - n) for n in negatives))
    return sum(costs) / max(len(costs), 1)


def _gap(x: torch.Tensor, y: torch.Tensor) -> float:
    return float((x - y).square().sum())


@pytest.mark.parametrize("seed", range(5))
def test_quadruplets_are_those_of_a_naive_search(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    photos, sketches = (
        functional.normalize(torch.randn(9, 4, generator=generator), dim=1) for _ in range(2)
    )
    p, q = (torch.randint(3, (9,), generator=generator).tolist() for _ in range(2))
    labels = torch.eye(3)
    expected = (_naive(photos, sketches, p, q, 0.7) + _naive(sketches, photos, q, p, 0.7)) / 2
    found = quadruplet_loss(photos, sketches, labels[p], labels[q], 0.7)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_anchors_without_a_positive_or_a_negative_do_not_count() -> None:
    photos, sketches = _at(0, 90), _at(60, 180)
    assert float(quadruplet_loss(photos, sketches, _one_hot(0, 0), _one_hot(1, 1))) == 0
    assert float(quadruplet_loss(photos, sketches, _one_hot(0, 0), _one_hot(0, 0))) == 0


def test_semantics_of_a_class_are_the_mean_of_its_posteriors() -> None:
    posteriors = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]])
    found = class_semantics(posteriors, torch.tensor([2, 2, 0]), 3)
    assert torch.allclose(found, torch.tensor([[0.2, 0.8], [0, 0], [0.75, 0.25]]))


def test_preservation_is_the_divergence_from_the_target_at_its_temperature() -> None:
    logits = torch.tensor([[4 * log(3), 0.0], [5.0, -5.0]])
    targets = torch.tensor([[0.5, 0.5], [0.0, 0.0]])
    expected = 0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25)
    assert float(preservation_loss(logits, targets, 4.0)) == pytest.approx(expected, abs=1e-6)
    same = torch.tensor([[0.75, 0.25], [0.0, 0.0]])
    assert float(preservation_loss(logits, same, 4.0)) == pytest.approx(0, abs=1e-6)


def test_quadruplet_learns_and_its_losses_fall(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, _supplies(), steps=60)
    encoders = Quadruplet(QuadrupletConfig()).fit(setting)
    for name in ("quadruplet", "classification"):
        values = curve(tmp_path, "one network", name)
        assert values[-1] < 0.7 * values[0], name
    assert toy_map(encoders) > CHANCE + 0.4
    assert toy_map(encoders.representations["posterior"]) > CHANCE + 0.3


def test_one_network_serves_both_modalities_behind_their_own_normalisers(tmp_path: Path) -> None:
    encoders = Quadruplet(QuadrupletConfig()).fit(toy_setting(tmp_path, _supplies(), steps=2))
    photo, sketch = encoders.photo.state_dict(), encoders.sketch.state_dict()
    different = {name for name in photo if not torch.equal(photo[name], sketch[name])}
    assert different == {"normaliser.mean", "normaliser.std"}


def test_without_a_step_the_network_is_its_start(tmp_path: Path) -> None:
    supplies = _supplies()
    encoders = Quadruplet(QuadrupletConfig()).fit(toy_setting(tmp_path, supplies, steps=0))
    backbone = supplies[Need.INITIAL_CLASSIFIER]["photo"].network.backbone.state_dict()
    own = encoders.photo.backbone.state_dict()  # type: ignore[union-attr]  # an Encoder
    assert all(torch.equal(own[name], backbone[name]) for name in backbone)


def test_preservation_keeps_what_the_start_said_of_a_class(tmp_path: Path) -> None:
    def divergence(weight: float) -> float:
        config = QuadrupletConfig(preservation=weight)
        place = tmp_path / str(weight)
        Quadruplet(config).fit(toy_setting(place, _supplies(), steps=60))
        return curve(place, "one network", "preservation")[-1] / weight

    assert divergence(20.0) < 0.5 * divergence(1e-6)


def test_classes_of_one_modality_alone_are_learned_without_a_partner(tmp_path: Path) -> None:
    known: dict[Modality, tuple[str, ...]] = {"photo": CLASSES[:2], "sketch": CLASSES[1:]}
    setting = toy_setting(tmp_path, _supplies(known), steps=4, **known)  # type: ignore[arg-type]
    Quadruplet(QuadrupletConfig()).fit(setting)
    assert all(torch.tensor(curve(tmp_path, "one network", "quadruplet")).isfinite())


def test_initial_classifier_is_not_to_be_had_undeclared(tmp_path: Path) -> None:
    assert Quadruplet.needs(QuadrupletConfig()) == {Need.TRAINING_DATA, Need.INITIAL_CLASSIFIER}
    setting = toy_setting(tmp_path, {Need.TRAINING_DATA: {}})
    with pytest.raises(UndeclaredNeed, match=r"Need\.INITIAL_CLASSIFIER"):
        setting.initial_classifier("photo")
