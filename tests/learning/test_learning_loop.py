from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from dfbench.files import DiskFull
from dfbench.learning import loop as loops
from dfbench.learning.loop import RandomState, TrainingLoop


class Fit:
    """A small fit with everything that a checkpoint has to hold."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
        self.optimiser = torch.optim.AdamW(self.network.parameters(), 0.01)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, 20)
        self.random = torch.Generator().manual_seed(1)

    def loop(self, folder: Path) -> TrainingLoop:
        state = {
            "network": self.network,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "random": RandomState(self.random),
        }
        return TrainingLoop("fit", 20, state, folder)

    def run(self, folder: Path, stop_at: int | None = None) -> list[int]:
        loop = self.loop(folder)
        steps = []
        for step in loop:
            if step == stop_at:
                raise KilledError
            steps.append(step)
            loss = self.network(torch.randn(6, 4, generator=self.random)).square().mean()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            loop.log(3, {"loss": loss.item()})
        return steps

    def weights(self) -> list[torch.Tensor]:
        return [tensor.clone() for tensor in self.network.state_dict().values()]


class KilledError(Exception):
    pass


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every step."""
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", -1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stop_at", [1, 7, 19])
def test_resumed_fit_is_bit_identical_to_an_uninterrupted_one(stop_at: int, tmp_path: Path) -> None:
    whole = Fit()
    assert whole.run(tmp_path / "whole") == list(range(20))
    with pytest.raises(KilledError):
        Fit().run(tmp_path / "killed", stop_at)
    resumed = Fit()
    assert resumed.run(tmp_path / "killed") == list(range(stop_at, 20))
    for one, two in zip(whole.weights(), resumed.weights(), strict=True):
        assert torch.equal(one, two)
    names = ("whole", "killed")
    curves = [(tmp_path / name / "fit.curves.json").read_text() for name in names]
    assert curves[0] == curves[1]


def test_finished_loop_is_not_repeated(tmp_path: Path) -> None:
    first, second = Fit(), Fit()
    first.run(tmp_path)
    assert second.run(tmp_path) == []
    for one, two in zip(first.weights(), second.weights(), strict=True):
        assert torch.equal(one, two)


def test_killed_loop_without_a_checkpoint_starts_again(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        Fit().run(tmp_path, stop_at=5)
    assert Fit().run(tmp_path) == list(range(20))


def test_loop_of_no_steps_does_nothing(tmp_path: Path) -> None:
    loop = TrainingLoop("none", 0, {}, tmp_path)
    assert list(loop) == []


def test_curves_hold_every_nth_step_and_the_last(tmp_path: Path) -> None:
    loop = TrainingLoop("curve", 8, {}, tmp_path)
    for step in loop:
        loop.log(3, {"value": step / 2})
    curves = json.loads((tmp_path / "curve.curves.json").read_text())
    assert curves == {"value": [[0, 0.0], [3, 1.5], [6, 3.0], [7, 3.5]]}


def test_diverged_loss_does_not_lose_the_finished_training(tmp_path: Path) -> None:
    loop = TrainingLoop("diverged", 2, {}, tmp_path)
    for _ in loop:
        loop.log(1, {"loss": float("nan")})
    curves = json.loads((tmp_path / "diverged.curves.json").read_text())
    assert curves == {"loss": [[0, None], [1, None]]}


def test_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"state": {}, "curves": {}, "next_step": Fit}, tmp_path / "bad.checkpoint")
    loop = TrainingLoop("bad", 1, {}, tmp_path)
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        list(loop)


def test_full_disk_at_a_checkpoint_is_one_line_and_leaves_nothing(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    loop = TrainingLoop("big", 1, {"big": nn.Linear(300, 300)}, tmp_path / "checkpoints")
    full_disk(10_000)
    with pytest.raises(DiskFull, match=r"no space left to write big\.checkpoint") as fault:
        loop.save(1)
    assert "\n" not in str(fault.value)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    loop = TrainingLoop("big", 9, {"big": nn.Linear(300, 300)}, tmp_path)
    loop.save(3)
    full_disk(10_000)
    with pytest.raises(DiskFull):
        loop.save(6)
    content = torch.load(tmp_path / "big.checkpoint", weights_only=True)
    assert content["next_step"] == 3
