"""Fits on a GPU, which here is only pretended: no operation mixes tensors of two devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pretended_gpu import OnGpu, pretended_gpu
from rows import ROWS, quick, supplies, supplies_on
from side_by_side import modules_of
from torch import Tensor, nn
from toy import CLASSES, toy_images, toy_setting

from dfbench.datasets.dataset import ImageSet
from dfbench.learning import loop
from dfbench.modality import MODALITIES
from dfbench.numerics import pin_numerics
from dfbench.plugins.info import MethodInfo
from dfbench.teachers.activations import record_activations
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.training import (
    accuracy,
    train_initialisation,
    train_modality_classifier,
    train_teacher,
    train_unified_teacher,
)
from dfbench.worker.contract import embedded

AT_A_GLANCE = {
    *("averaging-weights[rebasin-reestimated]", "classifier-posterior", "crossx", "crossx[bn]"),
    *("crossx-data", "gaussian-prior", "meta-data", "mib[generated]", "quadruplet"),
    *("alternative-data", "siamese", "triplet", "unimodal-distillation[dfq]"),
}
ROW = MethodInfo(
    name="toy",
    variant=None,
    title="Toy",
    version=1,
    plugin="toy",
    plugin_version="1",
    config={},
    needs=(),
    beside=(),
)
UNSTEADY = {"crossx[released]"}
"""Its game has no bounds: whatever is rounded differently grows from step to step."""


def _fitted(row: str, place: Path, device: torch.device | None = None) -> dict[str, Tensor]:
    pin_numerics(threads=1, seed=0)
    given = supplies() if device is None else supplies_on(device)
    more = {} if device is None else {"device": device}
    setting = toy_setting(place, given, steps=4, batch_size=8, **more)
    return modules_of(quick(row).fit(setting)).state_dict()


@pytest.mark.parametrize(
    "row",
    [row if row in AT_A_GLANCE else pytest.param(row, marks=pytest.mark.slow) for row in ROWS],
)
def test_row_ends_on_a_gpu_as_on_the_processor(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _fitted(row, tmp_path / "here")
    monkeypatch.setattr(loop.TrainingLoop, "save", lambda *_: None)  # pretended tensors stay out
    with pretended_gpu() as gpu:
        there = _fitted(row, tmp_path / "there", gpu)
    assert there.keys() == here.keys()
    for name, tensor in there.items():
        assert isinstance(tensor, OnGpu)
        if row not in UNSTEADY:
            torch.testing.assert_close(tensor.held, here[name], rtol=1e-5, atol=1e-5)


def _taught(device: torch.device) -> dict[str, Tensor]:
    """What teachers, records and embeddings made on a device hold, on the processor."""
    pin_numerics(threads=1, seed=0)
    drawn = {m: toy_images(m, 24, seed=1) for m in MODALITIES}
    data = {
        m: ImageSet(images.numpy(), labels.numpy(), CLASSES, tuple(map(str, range(24))))
        for m, (images, labels) in drawn.items()
    }
    recipe = TeacherRecipe(
        network="resnet-tiny", steps=3, alternative_steps=2, modality_steps=2, batch_size=8
    )
    start = train_initialisation(data, recipe, 0, device)
    teacher = train_teacher("photo", data["photo"], recipe, start.backbone, 0, device)
    joint = train_unified_teacher(data, recipe, start.backbone, 0, device)
    judge = train_modality_classifier(data, recipe, 0, device)
    records = record_activations(teacher, data["photo"], device)
    held = nn.ModuleDict({"teacher": teacher, "joint": joint, "judge": judge}).state_dict()
    return {
        **{name: tensor.cpu() for name, tensor in held.items()},
        **records.tensors(),
        "embeddings": embedded(teacher, data["photo"].images, ROW, device, "photo"),
        "accuracy": torch.tensor(accuracy(teacher, data["photo"], device)),
    }


def test_teachers_and_embeddings_are_made_on_a_gpu_as_on_the_processor() -> None:
    here = _taught(torch.device("cpu"))
    with pretended_gpu() as gpu:
        there = _taught(gpu)
    torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-5)


def test_pretended_gpu_refuses_what_a_real_one_does() -> None:
    with pretended_gpu() as gpu:
        layer = nn.Linear(3, 2).to(gpu)
        there, here = torch.randn(4, 3, device=gpu), torch.randn(4, 3)
        for mixed in (lambda: layer(here), lambda: there + here, lambda: torch.cat([there, here])):
            with pytest.raises(RuntimeError, match="of the GPU and of the processor"):
                mixed()
        assert (there * here.mean()).device == gpu
        assert there[torch.tensor([0, 2])].device == gpu
        assert layer(here.to(gpu)).sum().backward() is None
        assert layer.weight.grad is not None
        assert layer.weight.grad.device == gpu
        assert layer.weight.grad.cpu().device.type == "cpu"
