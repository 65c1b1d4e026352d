from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dfbench.errors import Diverged, PluginFault
from dfbench.learning import loop as loops
from dfbench.learning.checkpoint import Checkpoints
from dfbench.learning.loop import Loops, RandomState, TrainingLoop
from dfbench.system.file_errors import DiskFull


class Fit:
    """A small fit with everything that a checkpoint has to hold."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
        self.optimiser = torch.optim.AdamW(self.network.parameters(), 0.01)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, 20)
        self.random = torch.Generator().manual_seed(1)

    def loop(self, folder: Path, **origin: str) -> TrainingLoop:
        state = {
            "network": self.network,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "random": RandomState(self.random),
        }
        return _loops(folder, origin).new("fit", 20, state)

    def run(self, folder: Path, stop_at: int | None = None, **origin: str) -> list[int]:
        loop = self.loop(folder, **origin)
        steps = []
        for step in loop:
            if step == stop_at:
                raise KilledError
            steps.append(step)
            if step == 0:
                np.random.seed(0)  # the generators that a method may use unasked
                random.seed(0)
            noise = torch.randn(6, 1) + np.random.rand() + random.random()  # noqa: S311  # noise, not secrets
            output = self.network(torch.randn(6, 4, generator=self.random))
            loss = (output - noise).square().mean()
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


def _loops(folder: Path, origin: dict[str, str] | None = None) -> Loops:
    """Loops that save a checkpoint after every step."""
    return Loops(folder, origin, checkpoint_seconds=0)


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
    loop = Loops(tmp_path).new("rare", 3, {})
    with pytest.raises(KilledError):
        _stop(loop, 2)
    assert list(Loops(tmp_path).new("rare", 3, {})) == [0, 1, 2]


def test_killed_loop_loses_at_most_the_time_between_two_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(loops, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    loop = Loops(tmp_path, checkpoint_seconds=5).new("slow", 30, {})

    def work() -> None:
        clock[0] += 2

    with pytest.raises(KilledError):
        _stop(loop, 17, work)
    again = Loops(tmp_path, checkpoint_seconds=5).new("slow", 30, {})
    assert next(iter(again)) == 15  # saved after 6, 12, ... 30 seconds


def _stop(loop: TrainingLoop, at: int, work: Callable[[], None] = lambda: None) -> None:
    for step in loop:
        work()
        if step == at:
            raise KilledError


def _killed_at(step: int, folder: Path) -> list[Path]:
    """The files of a killed fit, newest last."""
    with pytest.raises(KilledError):
        Fit().run(folder, step)
    return sorted(folder.glob("fit.?.checkpoint"), key=lambda file: file.read_bytes()[8:16][::-1])


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "header only": lambda content: content[:32],
    "flipped bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "noise": lambda _: b"\xff" * 300,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_checkpoint_is_said_and_the_one_before_is_used(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Fit()
    whole.run(tmp_path / "whole")
    older, newest = _killed_at(7, tmp_path)
    newest.write_bytes(DAMAGE[damage](newest.read_bytes()))
    resumed = Fit()
    assert resumed.run(tmp_path) == list(range(6, 20))
    assert f"checkpoint {newest} is damaged and is removed" in capsys.readouterr().err
    for one, two in zip(whole.weights(), resumed.weights(), strict=True):
        assert torch.equal(one, two)
    assert older.exists()


def test_fit_of_which_all_checkpoints_are_damaged_starts_again_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _killed_at(7, tmp_path)
    for file in files:
        file.write_bytes(file.read_bytes()[:-1])
    assert Fit().run(tmp_path) == list(range(20))
    said = capsys.readouterr().err
    assert all(f"checkpoint {file} is damaged" in said for file in files)


def test_damaged_checkpoint_is_never_kept_in_place_of_a_good_one(tmp_path: Path) -> None:
    _, newest = _killed_at(7, tmp_path)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(KilledError):
        Fit().run(tmp_path, stop_at=6)  # before anything is saved again
    assert Fit().run(tmp_path) == list(range(6, 20))


def test_checkpoint_of_another_origin_is_not_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KilledError):
        Fit().run(tmp_path, 7, fit="one")
    assert Fit().run(tmp_path, fit="two") == list(range(20))
    assert "is of another run, version or thread count and is removed" in capsys.readouterr().err


def test_loops_of_one_description_do_not_share_a_checkpoint(tmp_path: Path) -> None:
    for finished in ([0, 1, 2], []):
        loops = _loops(tmp_path)
        first, second = loops.new("train", 3, {}), loops.new("train", 3, {})
        for loop, value in ((first, 1.0), (second, 2.0)):
            assert list(loop) == finished
            loop.log(1, {"value": value})
    names = {file.name for file in tmp_path.glob("*.json")}
    assert names == {"train.curves.json", "train-2.curves.json"}


def test_description_that_looks_like_a_path_stays_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "training"
    assert list(_loops(folder).new("../../a/b", 2, {})) == [0, 1]
    assert list(_loops(folder).new("..", 2, {})) == [0, 1]
    assert {file.parent for file in tmp_path.rglob("*.*")} == {folder}


def test_loop_of_no_steps_does_nothing(tmp_path: Path) -> None:
    assert list(_loops(tmp_path).new("none", 0, {})) == []


def test_curves_hold_every_nth_step_and_the_last(tmp_path: Path) -> None:
    loop = _loops(tmp_path).new("curve", 8, {})
    for step in loop:
        loop.log(3, {"value": step / 2})
    curves = json.loads((tmp_path / "curve.curves.json").read_text())
    assert curves == {"value": [[0, 0.0], [3, 1.5], [6, 3.0], [7, 3.5]]}


def test_diverged_loss_does_not_lose_the_finished_training(tmp_path: Path) -> None:
    loop = _loops(tmp_path).new("diverged", 2, {})
    for _ in loop:
        loop.log(1, {"loss": float("nan")})
    curves = json.loads((tmp_path / "diverged.curves.json").read_text())
    assert curves == {"loss": [[0, None], [1, None]]}


def test_tensors_in_a_curve_are_points_like_numbers(tmp_path: Path) -> None:
    loop = _loops(tmp_path).new("curve", 3, {})
    worked_out = []
    for step in loop:
        loop.log(2, {"number": step / 2, "tensor": torch.tensor(step / 2)})
        loop.log(2, lambda step=step: worked_out.append(step) or {"late": torch.tensor(step)})
    curves = json.loads((tmp_path / "curve.curves.json").read_text())
    assert curves == {
        "number": [[0, 0.0], [2, 1.0]],
        "tensor": [[0, 0.0], [2, 1.0]],
        "late": [[0, 0], [2, 2]],
    }
    assert worked_out == [0, 2]


def test_tensors_in_a_curve_are_not_read_within_a_step(tmp_path: Path) -> None:
    value = torch.zeros(())
    for step in Loops(tmp_path).new("curve", 2, {}):
        loop_of_one = Loops(tmp_path / str(step)).new("curve", 1, {})
        for _ in loop_of_one:
            loop_of_one.log(1, {"value": value})
            value += 1  # a copy made by then would not notice
    points = [json.loads((tmp_path / f"{n}/curve.curves.json").read_text()) for n in (0, 1)]
    assert points == [{"value": [[0, 1.0]]}, {"value": [[0, 2.0]]}]


def test_loss_that_is_not_finite_ends_the_loop_and_is_never_in_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(loops, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    loop = Loops(tmp_path, checkpoint_seconds=2).new("fit", 30, {})
    reached = []

    def run() -> None:
        for step in loop:
            reached.append(step)
            clock[0] += 0.1
            b = torch.tensor(float("nan") if step > 12 else 0)
            loop.watch({"a": torch.tensor(1.0), "b": b})

    with pytest.raises(Diverged, match=r"loss 'b' of loop 'fit' is nan at step 13 of 30; allowed"):
        run()
    assert 13 <= reached[-1] <= 16
    again = Loops(tmp_path, checkpoint_seconds=2).new("fit", 30, {})
    assert next(iter(again)) <= 13


def test_loss_of_the_last_step_is_looked_at_too(tmp_path: Path) -> None:
    loop = Loops(tmp_path).new("fit", 2, {})

    def run() -> None:
        for step in loop:
            loop.watch({"a": torch.tensor(float("inf") if step else 0.0)})

    with pytest.raises(Diverged, match="loss 'a' of loop 'fit' is inf at step 1 of 2"):
        run()
    assert [file.name for file in tmp_path.iterdir()] == ["fit.curves.jsonl"]


class Odd:
    """A state that is more than data."""

    def state_dict(self) -> dict[str, object]:
        return {"made by": Fit}

    def load_state_dict(self, state: object) -> None:
        raise AssertionError(state)


def test_state_that_is_more_than_data_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    with pytest.raises(PluginFault, match=r"state of loop 'odd' contains \S*Fit; allowed: tensors"):
        list(_loops(tmp_path).new("odd", 1, {"odd": Odd()}))
    assert [file.name for file in tmp_path.iterdir()] == ["odd.curves.jsonl"]


def test_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_check", lambda *_: None)
        with pytest.raises(KilledError):
            _stop(_loops(tmp_path).new("bad", 3, {"odd": Odd()}), 1)
    assert list(_loops(tmp_path).new("bad", 3, {})) == [0, 1, 2]


def test_full_disk_at_a_checkpoint_is_one_line_and_leaves_nothing(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    loop = _loops(tmp_path / "checkpoints").new("big", 1, {"big": nn.Linear(300, 300)})
    full_disk(10_000)
    with pytest.raises(DiskFull, match=r"no space left to write big\.\w\.checkpoint") as fault:
        loop.save(1)
    assert "\n" not in str(fault.value)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_full_disk_keeps_the_checkpoints_before(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    loop = _loops(tmp_path).new("big", 9, {"big": nn.Linear(300, 300)})
    loop.save(3)
    loop.save(4)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    full_disk(10_000)
    with pytest.raises(DiskFull):
        loop.save(6)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def _live(folder: Path) -> list[Any]:
    lines = (folder / "fit.curves.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_curves_grow_while_a_loop_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfbench.learning.loop._LIVE_SECONDS", 0.0)
    loop = Loops(tmp_path).new("fit", 3, {})
    for step in loop:
        head, *points = _live(tmp_path)
        assert head == {"loop": "fit", "steps": 3}
        assert [point["step"] for point in points] == list(range(step))
        loop.log(1, {"loss": float("nan") if step == 1 else 1.0 / (1 + step)})
        loop.log(2, {"rate": torch.tensor(0.5)})
    _, *points = _live(tmp_path)
    assert points == [
        {"step": 0, "values": {"loss": 1.0, "rate": 0.5}},
        {"step": 1, "values": {"loss": None}},
        {"step": 2, "values": {"loss": 1 / 3, "rate": 0.5}},
    ]


def test_a_resumed_loop_continues_its_live_curves_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dfbench.learning.loop._LIVE_SECONDS", 0.0)

    def run(stop: int | None, seconds: float) -> None:
        loop = Loops(tmp_path, checkpoint_seconds=seconds).new("fit", 6, {})
        for step in loop:
            loop.log(1, {"loss": float(step)})
            if step == 1:
                loop.save(2)
            if step == stop:
                raise KilledError

    with pytest.raises(KilledError):
        run(4, 1e6)
    assert [point["step"] for point in _live(tmp_path)[1:]] == [0, 1, 2, 3]
    run(None, 1e6)
    steps = [(point["step"], point["values"]["loss"]) for point in _live(tmp_path)[1:]]
    assert steps == [(step, float(step)) for step in range(6)]
