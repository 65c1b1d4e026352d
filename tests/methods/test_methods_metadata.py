"""Meta-data: images reconstructed from activation records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.meta_data import (
    MetaData,
    MetaDataConfig,
    Reconstruction,
    moment_loss,
    top_layer_loss,
)
from toy import CHANCE, CLASSES, SIZE, curve, toy_images, toy_map, toy_setting, toy_teacher

from dfbench.datasets.dataset import ImageSet
from dfbench.errors import UndeclaredNeed
from dfbench.learning.pyramid import ImagePyramid, roughness
from dfbench.method import MethodConfig, Need
from dfbench.modality import MODALITIES, Modality
from dfbench.teachers.activations import ActivationRecords, LayerRecord, record_activations

QUICK: Mapping[str, Any] = {"batches_per_class": 1, "image_batch": 12, "image_steps": 25}


def _records(modality: Modality, classes: tuple[str, ...] = CLASSES) -> ActivationRecords:
    images, labels = toy_images(modality, 240, seed=1)
    known = torch.tensor([name in classes for name in CLASSES])[labels]
    names = tuple(str(row) for row in range(int(known.sum())))
    targets = torch.tensor([classes.index(CLASSES[label]) for label in labels[known].tolist()])
    data = ImageSet(images[known].numpy(), targets.numpy(), classes, names)
    return record_activations(toy_teacher(modality, classes).network, data, torch.device("cpu"))


@cache
def _supplies() -> dict[Need, Any]:
    return {Need.ACTIVATION_RECORDS: {m: _records(m) for m in MODALITIES}}


def _layer(mean: list[float], std: list[float]) -> LayerRecord:
    return LayerRecord("stage 1", torch.tensor([mean]), torch.tensor([std]), None)


def test_top_layer_loss_is_the_rectified_square_in_units_of_the_records_variance() -> None:
    record = _layer([0.0, 0.0], [1.0, 3.0])
    features, target = torch.tensor([[1.0, 4.0]]), torch.tensor([[3.0, -2.0]])
    expected = ((1 - 3) ** 2 + (4 - 0) ** 2) / 2 / ((1 + 9) / 2)
    assert top_layer_loss(record, features, target).item() == pytest.approx(expected)


def test_moment_loss_is_the_divergence_of_the_batch_from_the_record() -> None:
    record = _layer([1.0, 0.0], [2.0, 1.0])
    features = torch.tensor([[0.0, -1.0], [4.0, 1.0]])
    # Means 2 and 0, variances 4 and 1: the second channel is exactly as recorded.
    expected = ((math.log(4 / 4) + (4 + (2 - 1) ** 2) / 4 - 1) / 2 + 0) / 2
    assert moment_loss(record, features, 0).item() == pytest.approx(expected, abs=1e-4)


def test_roughness_is_the_mean_step_between_neighbours_in_both_directions() -> None:
    image = torch.tensor([[0.0, 1.0], [0.5, 1.0]]).view(1, 1, 2, 2)
    assert roughness(image).item() == pytest.approx((0.5 + 0.0) / 2 + (1.0 + 0.5) / 2)


@pytest.mark.parametrize("size", [16, 24, 50])
def test_pyramid_makes_images_in_range_and_sketches_without_colour(size: int) -> None:
    for modality in MODALITIES:
        images = ImagePyramid(modality, 3, size, torch.Generator().manual_seed(0))()
        assert images.shape == (3, 3, size, size)
        assert images.min() >= 0
        assert images.max() <= 1
        assert torch.equal(images[:, 0], images[:, 1]) == (modality == "sketch")


def test_every_resolution_of_a_pyramid_moves_the_image() -> None:
    pyramid = ImagePyramid("photo", 2, 16, torch.Generator().manual_seed(0))
    pyramid().sum().backward()
    assert [level.shape[-1] for level in pyramid.maps] == [16, 8, 4]
    assert all(level.grad is not None and level.grad.abs().min() > 0 for level in pyramid.maps)


@pytest.mark.parametrize("layers", ["top", "all"])
def test_teachers_recognise_the_classes_they_were_asked_for(layers: str, tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, _supplies())
    config = MetaDataConfig.model_validate({**QUICK, "layers": layers})
    made = Reconstruction(setting, config, "photo").run()
    decisions = setting.label("photo", made.images.float() / 255).argmax(dim=1)
    assert (decisions == made.classes).float().mean() > 2 * CHANCE
    assert made.classes.bincount().tolist() == [12] * len(CLASSES)
    assert (tmp_path / "pictures" / "reconstructed-photo-images.png").exists()


def test_images_get_closer_to_what_the_record_asks_for(tmp_path: Path) -> None:
    def last_loss(steps: int) -> float:
        place = tmp_path / str(steps)
        config = MetaDataConfig.model_validate({**QUICK, "image_steps": steps})
        Reconstruction(toy_setting(place, _supplies()), config, "sketch").run()
        losses = curve(place, "sketch-images", "loss")
        return sum(losses) / len(losses)

    assert last_loss(25) < 0.7 * last_loss(1)


def test_classes_index_the_union_of_both_teachers_classes(tmp_path: Path) -> None:
    known = CLASSES[1:]
    supplies = {Need.ACTIVATION_RECORDS: {"sketch": _records("sketch", known)}}
    setting = toy_setting(tmp_path, supplies, sketch=known)
    config = MetaDataConfig(image_batch=4, image_steps=1, batches_per_class=2)
    made = Reconstruction(setting, config, "sketch").run()
    assert made.classes.tolist() == [1] * 4 + [2] * 4 + [1] * 4 + [2] * 4
    assert made.images.shape == (16, 3, SIZE, SIZE)


def test_loss_falls_and_encoders_beat_chance(tmp_path: Path) -> None:
    encoders = MetaData(MetaDataConfig.model_validate(QUICK)).fit(
        toy_setting(tmp_path, _supplies())
    )
    losses = curve(tmp_path, "students", "students")
    assert losses[-1] < losses[0] - 1
    assert toy_map(encoders) > 2 * CHANCE


class KilledError(Exception):
    pass


def test_killed_reconstruction_goes_on_and_ends_with_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = MetaDataConfig(batches_per_class=1, image_batch=4, image_steps=2)

    def reconstruction(name: str) -> Reconstruction:
        place = tmp_path / name
        return Reconstruction(
            toy_setting(place, _supplies(), checkpoint_seconds=0), config, "photo"
        )

    whole = reconstruction("whole").run()
    killed = reconstruction("killed")
    remade = killed._reconstruct

    def dying(label: int) -> Any:
        if label == len(CLASSES) - 1:
            raise KilledError
        return remade(label)

    monkeypatch.setattr(killed, "_reconstruct", dying)
    with pytest.raises(KilledError):
        killed.run()
    assert torch.equal(reconstruction("killed").run().images, whole.images)


def test_records_are_declared_and_needed(tmp_path: Path) -> None:
    assert MetaData.needs(MethodConfig()) == {Need.ACTIVATION_RECORDS}
    with pytest.raises(UndeclaredNeed, match="activation records"):
        MetaData(MetaDataConfig()).fit(toy_setting(tmp_path))


def test_row_runs_on_records_that_came_with_the_teachers(quick_bench: Any) -> None:
    settings = ("--set", "image_batch=4", "--set", "image_steps=2")
    record = quick_bench.record("meta-data", *settings)
    assert record["method"]["needs"] == ["activation records"]
    assert 0 < record["metrics"]["map@all"]["value"] < 1
