"""Rows that train share encoders, start, optimiser, steps, batch and metric loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rows import ROWS, quick, supplies
from torch import nn
from toy import SIZE, toy_setting

from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.pool import Pairs
from dfbench.learning.students import Students
from dfbench.method import Need, Setting

UNTRAINED = {
    "adapted-posterior",
    "averaging-weights",
    "classifier-logits",
    "classifier-only",
    "classifier-posterior",
    "joint-posterior",
    "open-posterior",
}
"""Rows that combine teachers, with or without statistics of generated images."""
OWN_MANNER = {"crossx[released]", "quadruplet"}
"""Rows that train by means of their own: it is their point."""
OWN_OBJECTIVE = {"unimodal-distillation", "siamese", "triplet", "mib"}
TRAINED = [label for label in ROWS if not {label, label.split("[")[0]} & (UNTRAINED | OWN_MANNER)]


class Built(Exception):
    """A row has built its students."""


def _students_of(label: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Students | None:
    """What a row trains, as it is when training begins; None if it builds no students."""
    built: list[Students] = []
    original = Setting.new_students

    def shown(setting: Setting, *arguments: Any, **choices: Any) -> Students:
        built.append(original(setting, *arguments, **choices))
        raise Built

    monkeypatch.setattr(Setting, "new_students", shown)
    try:
        quick(label).fit(toy_setting(place, supplies(), steps=4))
    except Built:
        return built[0]
    return None


def _configuration(students: Students) -> dict[str, Any]:
    state: Any = students.state()
    optimiser, schedule = state["student optimiser"], state["student schedule"]
    return {
        "encoders": [_layers(students.photo), _layers(students.sketch)],
        "optimiser": (type(optimiser), optimiser.defaults),
        "schedule": (type(schedule), schedule.T_max, schedule.eta_min),
    }


def _layers(network: nn.Module) -> list[str]:
    """Its layers with their sizes, whether or not their statistics are frozen."""
    return [repr(layer).replace("Frozen", "") for layer in network.modules()]


def _rates(students: Students) -> list[float]:
    optimiser: Any = students.state()["student optimiser"]
    return [group["initial_lr"] for group in optimiser.param_groups]


def _weights(students: Students) -> list[torch.Tensor]:
    return [w for m in (students.photo, students.sketch) for w in m.state_dict().values()]


def test_every_need_is_supplied() -> None:
    assert set(supplies()) == set(Need)


@pytest.mark.parametrize("label", TRAINED)
def test_rows_that_train_have_one_configuration(
    label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    students = _students_of(label, tmp_path, monkeypatch)
    assert students is not None, "name the row in UNTRAINED or in OWN_MANNER"
    monkeypatch.undo()
    expected = toy_setting(tmp_path, steps=4).new_students()
    assert _configuration(students) == _configuration(expected)
    if getattr(quick(label).config, "encoder_init", None) is None:
        pairs = zip(_weights(students), _weights(expected), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
        assert _rates(students) == _rates(expected)
    if label.split("[")[0] not in OWN_OBJECTIVE:
        assert type(students.objective) is QueueAndProxies


@pytest.mark.parametrize("label", [label for label in TRAINED if "[" not in label])
def test_rows_that_train_take_the_budgets_steps_of_the_budgets_batch(
    label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[tuple[torch.Size, torch.Size]] = []

    def counted(students: Students, pairs: Pairs) -> float:
        del students
        batches.append((pairs.photos.shape, pairs.sketches.shape))
        return 0.0

    monkeypatch.setattr(Students, "step", counted)
    quick(label).fit(toy_setting(tmp_path, supplies(), steps=5, batch_size=6))
    shape = torch.Size((6, 3, SIZE, SIZE))
    assert batches == [(shape, shape)] * 5


@pytest.mark.parametrize("label", sorted(UNTRAINED | OWN_MANNER))
def test_other_rows_build_no_students(
    label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _students_of(label, tmp_path, monkeypatch) is None
