"""Alternative data: real images of other classes, paired by what the teachers take them for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.alternative_data import AlternativeData, pseudo_labelled
from torch import Tensor
from toy import CHANCE, CLASSES, SIZE, curve, toy_images, toy_map, toy_setting

from dfbench.errors import UndeclaredNeed
from dfbench.learning.batches import to_unit
from dfbench.learning.class_pairs import ClassBalance, ClassedImages, ClassPairs
from dfbench.method import MethodConfig, Need
from dfbench.modality import MODALITIES, Modality


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def _other_images(modality: Modality) -> Tensor:
    """Bars that are shorter and elsewhere: nothing that the teachers were trained on."""
    images, _ = toy_images(modality, 90, seed=9)
    return images.roll((5, 5), dims=(2, 3))


ALTERNATIVE = {Need.ALTERNATIVE_DATA: {m: _other_images(m) for m in MODALITIES}}


def test_rows_of_a_pair_share_their_class_and_rare_classes_are_repeated() -> None:
    photos = torch.tensor([0] * 90 + [1] * 9 + [2])
    sketches = torch.tensor([2, 1, 0, 0, 1])
    rows = ClassBalance(photos, sketches).draw(3000, _generator())
    assert torch.equal(photos[rows[0]], sketches[rows[1]])
    shares = photos[rows[0]].bincount() / 3000
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert set(rows[0][photos[rows[0]] == 0].tolist()) == set(range(90))


def test_class_of_one_modality_only_is_taught_beside_one_of_the_other() -> None:
    photos, sketches = torch.tensor([0, 1, 4]), torch.tensor([1, 2])
    rows = ClassBalance(photos, sketches).draw(600, _generator())
    drawn = set(zip(photos[rows[0]].tolist(), sketches[rows[1]].tolist(), strict=True))
    assert drawn == {(1, 1), (0, 2), (4, 2)}


def test_classes_without_any_in_common_are_taught_all_the_same() -> None:
    rows = ClassBalance(torch.tensor([0, 3]), torch.tensor([1])).draw(200, _generator())
    assert set(rows[0].tolist()) == {0, 1}
    assert set(rows[1].tolist()) == {0}


def test_modality_whose_classes_the_other_has_all_fills_up_from_them() -> None:
    photos, sketches = torch.tensor([0, 1]), torch.tensor([0])
    rows = ClassBalance(photos, sketches).draw(200, _generator())
    drawn = set(zip(photos[rows[0]].tolist(), sketches[rows[1]].tolist(), strict=True))
    assert drawn == {(0, 0), (1, 0)}


def test_drawn_pairs_are_the_images_of_their_rows_and_go_on_from_a_checkpoint() -> None:
    images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 8, 8) * 50
    source = ClassedImages(images, torch.tensor([0, 0, 1, 1]))
    pairs, resumed = (ClassPairs(source, source, _generator()) for _ in range(2))
    pairs.draw(6)
    for name, item in pairs.state().items():
        resumed.state()[name].load_state_dict(item.state_dict())
    one, two = pairs.draw(6), resumed.draw(6)
    assert torch.equal(one.photos, two.photos)
    values = (one.photos[:, 0, 0, 0] * 255 / 50).round()
    assert torch.equal(values // 2, (one.sketches[:, 0, 0, 0] * 255 / 50).round() // 2)


def test_pseudo_class_is_what_the_teacher_decides_for_the_image_as_it_is(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, ALTERNATIVE)
    labelled = pseudo_labelled(setting, "photo")
    posterior = setting.label("photo", to_unit(labelled.images))
    assert torch.equal(labelled.classes, posterior.argmax(dim=1))
    assert labelled.images.shape == (90, 3, SIZE, SIZE)


def test_pseudo_classes_index_the_union_of_both_teachers_classes(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, ALTERNATIVE, sketch=CLASSES[1:])
    assert not (pseudo_labelled(setting, "sketch").classes == 0).any()


def test_loss_falls_and_encoders_beat_chance(tmp_path: Path) -> None:
    encoders = AlternativeData(MethodConfig()).fit(toy_setting(tmp_path, ALTERNATIVE))
    losses = curve(tmp_path, "students", "students")
    assert losses[-1] < losses[0] - 1
    assert toy_map(encoders) > 2 * CHANCE
    told = json.loads((tmp_path / "pictures" / "pseudo-classes.json").read_text())
    assert [sum(told[modality].values()) for modality in MODALITIES] == [90, 90]


def test_alternative_data_is_declared_and_needed(tmp_path: Path) -> None:
    assert AlternativeData.needs(MethodConfig()) == {Need.ALTERNATIVE_DATA}
    with pytest.raises(UndeclaredNeed, match="alternative data"):
        AlternativeData(MethodConfig()).fit(toy_setting(tmp_path))


def test_row_runs_on_the_datasets_spare_classes(quick_bench: Any) -> None:
    record = quick_bench.record("alternative-data")
    assert record["method"]["needs"] == ["alternative data"]
    assert 0 < record["metrics"]["map@all"]["value"] < 1
