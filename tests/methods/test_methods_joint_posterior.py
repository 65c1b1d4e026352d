"""The joint posterior: how the unknown share is divided, and its limits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from dfbench_baselines.classifiers import ClassifierPosterior, PosteriorConfig
from dfbench_baselines.joint_posterior import JointPosterior
from dfbench_baselines.open_posterior import OpenPosterior, OpenPosteriorConfig
from torch import Tensor
from toy import toy_images, toy_setting

from dfbench.method import Encoders
from dfbench.modality import MODALITIES
from dfbench.networks import JointUnion

PHOTO, SKETCH = ("across", "cross"), ("cross", "upright")


EVEN = (0.3, 0.2, 0.2, 0.2, 0.1)
"""Open posterior over five classes: u = 0.4, divided evenly between columns 1 and 3."""


def _rows(encoders: Encoders) -> dict[str, Tensor]:
    images = {m: toy_images(m, 12, seed=5)[0].float() / 255 for m in MODALITIES}
    return {m: getattr(encoders, m)(images[m]) for m in MODALITIES}


def _divided(*logits: float, rows: tuple[int, ...], temperature: float = 1.0) -> list[float]:
    part = JointUnion((1, 3), rows, len(EVEN), temperature=temperature)
    answer: list[float] = part(torch.tensor([EVEN + logits] * 2))[1].tolist()
    return answer


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_with_equal_classes_it_is_the_posterior_to_the_last_digit(
    tmp_path: Path, temperature: float
) -> None:
    config = PosteriorConfig(temperature=temperature)
    own = _rows(JointPosterior(config).fit(toy_setting(tmp_path / "a")))
    posterior = _rows(ClassifierPosterior(config).fit(toy_setting(tmp_path / "b")))
    assert all(torch.equal(own[m], posterior[m]) for m in MODALITIES)


def test_with_one_class_unknown_on_each_side_it_is_the_open_posterior(tmp_path: Path) -> None:
    settings = [toy_setting(tmp_path / name, photo=PHOTO, sketch=SKETCH) for name in ("a", "b")]
    joint = _rows(JointPosterior(PosteriorConfig()).fit(settings[0]))
    plain = _rows(OpenPosterior(OpenPosteriorConfig()).fit(settings[1]))
    assert all(torch.allclose(joint[m], plain[m]) for m in MODALITIES)


def test_the_other_teacher_divides_the_unknown_share_by_its_softmax() -> None:
    odds = torch.tensor([3.0, 1.0]).log().tolist()
    row = _divided(odds[0], 9.0, odds[1], rows=(0, 2))
    assert row == pytest.approx([0.3, 0.3, 0.2, 0.1, 0.1])


def test_the_order_of_the_other_teachers_classes_is_respected() -> None:
    odds = torch.tensor([3.0, 1.0]).log().tolist()
    row = _divided(odds[0], 9.0, odds[1], rows=(2, 0))
    assert row == pytest.approx([0.3, 0.1, 0.2, 0.3, 0.1])


def test_the_temperature_applies_to_the_other_teacher_as_well() -> None:
    odds = torch.tensor([9.0, 1.0]).log().tolist()
    row = _divided(*odds, rows=(0, 1), temperature=2.0)
    assert row == pytest.approx([0.3, 0.3, 0.2, 0.1, 0.1])


def test_an_other_teacher_without_preference_leaves_the_share_even() -> None:
    row = _divided(1.0, 1.0, rows=(0, 1))
    assert row == pytest.approx([0.3, 0.2, 0.2, 0.2, 0.1])
