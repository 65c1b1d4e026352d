"""The adapted posterior: what the other teacher may say, how far it is trusted, and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from dfbench_baselines.adapted_posterior import (
    AdaptedConfig,
    AdaptedPosterior,
    adapted,
    teacher_agreement,
)
from dfbench_baselines.classifiers import ClassifierPosterior, PosteriorConfig
from dfbench_baselines.joint_posterior import JointPosterior
from pydantic import ValidationError
from torch import Tensor, nn
from toy import CLASSES, toy_images, toy_setting, toy_teacher

from dfbench.method import Encoders, Setting
from dfbench.modality import MODALITIES
from dfbench.networks import EvidenceUnion

QUICK = AdaptedConfig(estimator_steps=2, estimator_batch=8, estimator_width=4)


class _Output(NamedTuple):
    logits: Tensor


class _Fixed(nn.Module):
    """A teacher with the same posterior for every image."""

    def __init__(self, **posterior: float) -> None:
        super().__init__()
        self.classes = tuple(posterior)
        self.logits = torch.tensor(list(posterior.values())).log()

    def forward(self, images: Tensor) -> _Output:
        return _Output(self.logits.expand(len(images), -1))


class _ByBrightness(nn.Module):
    """A teacher that sees one class in each image: the one at the place of its first pixel."""

    def __init__(self, *classes: str, shift: int = 0) -> None:
        super().__init__()
        self.classes, self.shift = classes, shift

    def forward(self, images: Tensor) -> _Output:
        places = (images[:, 0, 0, 0].long() + self.shift) % len(self.classes)
        return _Output(10 * torch.eye(len(self.classes))[places])


class _Constant(_ByBrightness):
    """A teacher that sees the first of its classes in every image."""

    def forward(self, images: Tensor) -> _Output:
        return super().forward(torch.zeros_like(images))


def _rows(encoders: Encoders) -> dict[str, Tensor]:
    images = {m: toy_images(m, 12, seed=5)[0].float() / 255 for m in MODALITIES}
    return {m: getattr(encoders, m)(images[m]) for m in MODALITIES}


def _union(own: Any, other: Any, weight: float) -> list[float]:
    classes = sorted({*own.classes, *other.classes})
    names = [name for name in classes if name not in own.classes]
    union = EvidenceUnion(
        [classes.index(name) for name in own.classes],
        [classes.index(name) for name in names],
        [other.classes.index(name) for name in names],
        len(other.classes),
        weight=weight,
    )
    row: list[float] = union(torch.cat([own.logits, other.logits]).expand(2, -1))[1].tolist()
    return row


def _agreement(own: nn.Module, other: nn.Module, places: tuple[float, ...]) -> float:
    setting: Any = Setting.__new__(Setting)
    setting.photo_teacher = setting.sketch_teacher = own
    setting.classes = tuple(sorted({*own.classes, *other.classes}))  # type: ignore[misc]
    setting.common_classes = tuple(sorted({*own.classes} & {*other.classes}))  # type: ignore[misc]
    setting._columns = {}
    images = torch.tensor(places)[:, None, None, None].expand(-1, 3, 4, 4)
    teacher: Any = other
    return teacher_agreement(setting, "sketch", teacher, [images, images])


def test_with_equal_classes_it_is_the_posterior_to_the_last_digit(tmp_path: Path) -> None:
    own = _rows(AdaptedPosterior(QUICK).fit(toy_setting(tmp_path / "a")))
    plain = _rows(ClassifierPosterior(PosteriorConfig()).fit(toy_setting(tmp_path / "b")))
    assert all(torch.equal(own[m], plain[m]) for m in MODALITIES)
    assert not list((tmp_path / "a").rglob("generated-*"))


def test_with_one_shared_class_it_is_the_joint_posterior(tmp_path: Path) -> None:
    classes: dict[str, Any] = {"photo": ("across", "cross"), "sketch": ("cross", "upright")}
    own = _rows(AdaptedPosterior(QUICK).fit(toy_setting(tmp_path / "a", **classes)))
    joint = _rows(JointPosterior(PosteriorConfig()).fit(toy_setting(tmp_path / "b", **classes)))
    assert all(torch.allclose(own[m], joint[m]) for m in MODALITIES)


def test_images_are_generated_only_where_the_other_teacher_knows_more(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, photo=CLASSES, sketch=("across", "cross"))
    rows = _rows(AdaptedPosterior(QUICK).fit(setting))
    assert [file.stem for file in tmp_path.rglob("generated-*")] == ["generated-sketch-images"]
    plain = _rows(ClassifierPosterior(PosteriorConfig()).fit(setting))
    assert torch.equal(rows["photo"], plain["photo"])
    assert rows["sketch"][:, CLASSES.index("upright")].min() > 0
    assert torch.allclose(rows["sketch"].sum(dim=1), torch.ones(12))


def test_the_same_seed_gives_the_same_encoders(tmp_path: Path) -> None:
    settings = [toy_setting(tmp_path / n, sketch=("across", "cross")) for n in ("a", "b")]
    first, second = (_rows(AdaptedPosterior(QUICK).fit(setting)) for setting in settings)
    assert torch.equal(first["sketch"], second["sketch"])


def test_trusted_evidence_is_combined_by_bayes_rule() -> None:
    own, other = _Fixed(a=0.8, b=0.2), _Fixed(a=0.1, b=0.1, c=0.6, d=0.2)
    # Odds of "not in S": 0.2 / 0.8 by the own teacher, times 0.8 / 0.2 over 0.5 / 0.5.
    row = _union(own, other, weight=1.0)
    assert row == pytest.approx([0.4, 0.1, 0.375, 0.125], abs=1e-5)


def test_half_the_trust_is_half_the_evidence() -> None:
    own, other = _Fixed(a=0.8, b=0.2), _Fixed(a=0.1, b=0.1, c=0.6, d=0.2)
    share = sum(_union(own, other, weight=0.5)[2:])
    assert share / (1 - share) == pytest.approx(0.25 * 4**0.5, rel=1e-4)


def test_evidence_equal_to_the_prior_leaves_the_share() -> None:
    own, other = _Fixed(a=0.8, b=0.2), _Fixed(a=0.4, b=0.1, c=0.3, d=0.2)
    assert _union(own, other, weight=1.0) == pytest.approx([0.64, 0.16, 0.12, 0.08], abs=1e-5)


def test_the_order_of_the_other_teachers_classes_is_respected() -> None:
    own = _Fixed(a=0.8, b=0.2)
    forth = _union(own, _Fixed(a=0.1, b=0.1, c=0.6, d=0.2), weight=0.7)
    back = _union(own, _Fixed(d=0.2, b=0.1, c=0.6, a=0.1), weight=0.7)
    assert forth == pytest.approx(back)


def test_certain_teachers_leave_finite_shares() -> None:
    row = torch.tensor(_union(_Fixed(a=1.0, b=0.0), _Fixed(a=0.0, b=0.0, c=1.0), weight=1.0))
    assert row.isfinite().all()
    assert row.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("other", "agreement"),
    [
        (_ByBrightness("a", "b", "c"), 1.0),
        (_ByBrightness("a", "b", "c", shift=1), 0.0),
        (_Constant("a", "b", "c"), 0.0),
        (_Constant("b", "c", "a"), 0.0),
    ],
)
def test_agreement_is_corrected_for_chance(other: nn.Module, agreement: float) -> None:
    own = _ByBrightness("a", "b", "c")
    # Unequal frequencies: a teacher that always names the most frequent class knows nothing.
    assert _agreement(own, other, (0, 0, 0, 0, 1, 2)) == pytest.approx(agreement)


def test_agreement_counts_only_images_of_shared_classes() -> None:
    own, other = _ByBrightness("a", "b", "z"), _ByBrightness("a", "b", "y")
    assert _agreement(own, other, (0, 1, 2, 2, 2)) == pytest.approx(1)


def test_adaptation_changes_a_copy_and_only_its_statistics() -> None:
    teacher = toy_teacher("photo")
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    sketches = toy_images("sketch", 32, seed=3)[0].float() / 255
    copy = adapted(teacher, [sketches[:16], sketches[16:]])
    assert all(torch.equal(before[n], t) for n, t in teacher.state_dict().items())
    changed = {n.rsplit(".", 1)[1] for n, t in copy.state_dict().items() if not t.equal(before[n])}
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}
    assert not any(module.training for module in copy.modules())


def test_an_adversary_without_students_is_refused() -> None:
    with pytest.raises(ValidationError, match="adversary"):
        AdaptedConfig(adversary=0.5)
