"""Runs in progress: their curves are read as they grow, in the terminal and for TensorBoard."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from bench import CommandLine, Finished
from PIL import Image
from shelf import Shelf

from dfbench.learning.checkpoint import Checkpoints
from dfbench.records.state import RunLock, RunState, write_state
from dfbench.reporting import event_log
from dfbench.reporting.live_curves import CurveBoard, CurveTail, LivePoint, started_run


def _run(runs: Path, name: str = "crossx-s0-0123456789ab", status: str = "done") -> Path:
    folder = runs / "shapes" / name
    write_state(folder, RunState(status=status))  # type: ignore[arg-type]  # of the tests' own
    return folder


def _call(shelf: Shelf, *arguments: str) -> Finished:
    """A command with no other options."""
    return CommandLine.call(shelf, *arguments)


def _points(*steps: int) -> list[dict[str, object]]:
    return [{"step": step, "values": {"loss": 1.0 / (1 + step)}} for step in steps]


def _begin(folder: Path, *steps: int, name: str = "fit") -> Checkpoints:
    written = Checkpoints(folder / "training", name, {})
    written.begin_live(name, 10, _points(*steps))
    return written


def _steps(points: list[LivePoint]) -> list[int]:
    return [point.step for point in points]


def test_each_point_is_read_once_and_only_when_its_line_is_whole(tmp_path: Path) -> None:
    folder = _run(tmp_path)
    tail = CurveTail(folder)
    assert tail.new() == []
    written = _begin(folder, 0)
    assert tail.new() == [LivePoint("fit", 10, 0, {"loss": 1.0})]
    written.add_live(_points(1, 2))
    with (folder / "training" / "fit.curves.jsonl").open("a") as file:
        file.write('{"step": 3, "val')
        file.flush()
        assert _steps(tail.new()) == [1, 2]
        file.write('ues": {"loss": null}}\n')
    assert tail.new() == [LivePoint("fit", 10, 3, {"loss": None})]
    assert tail.new() == []


def test_points_that_a_resumed_run_repeats_are_not_told_again(tmp_path: Path) -> None:
    folder = _run(tmp_path)
    _begin(folder, 0, 1, 2, 3)
    tail = CurveTail(folder)
    assert _steps(tail.new()) == [0, 1, 2, 3]
    written = _begin(folder, 0, 1)
    written.add_live(_points(2, 3, 4))
    assert _steps(tail.new()) == [4]


def test_curves_of_an_earlier_attempt_are_left_out_on_request(tmp_path: Path) -> None:
    folder = _run(tmp_path)
    _begin(folder, 0, 1)
    old = time.time() - 100
    os.utime(folder / "training" / "fit.curves.jsonl", (old, old))
    assert CurveTail(folder, since=time.time() - 50).new() == []
    assert _steps(CurveTail(folder).new()) == [0, 1]


def test_runs_of_earlier_versions_show_the_curves_of_their_end(shelf: Shelf) -> None:
    folder = _run(shelf.runs)
    Checkpoints(folder / "training", "old", {}).save_curves({"loss": [[0, 2.0], [9, None]]})
    assert _steps(CurveTail(folder).new()) == [0, 9]
    tail = CurveTail(folder)
    assert (len(tail.new()), len(tail.new())) == (2, 0)


@pytest.mark.parametrize(
    "line", ["not json", "[1]", '{"step": 1}', '{"step": "x", "values": {}}', '{"loop": 3}', "7"]
)
def test_other_content_is_refused_by_its_file(shelf: Shelf, line: str) -> None:
    folder = _run(shelf.runs)
    _begin(folder, 0)
    with (folder / "training" / "fit.curves.jsonl").open("a") as file:
        file.write(f"{line}\n")
    finished = _call(shelf, "watch", "crossx-s0", "--runs", str(shelf.runs))
    assert (
        "fit.curves.jsonl' has a line that is not a point of a training curve" in finished.refused()
    )


def test_finished_run_is_shown_as_a_table_with_its_state(shelf: Shelf) -> None:
    _begin(_run(shelf.runs), 0, 4, 9)
    finished = _call(shelf, "watch", "crossx-s0", "--runs", str(shelf.runs))
    assert finished.status == 0
    assert "crossx-s0-0123456789ab: done" in finished.out
    assert "10 of 10" in finished.out
    assert "█▂▁" in finished.out


def test_json_is_a_line_per_point_and_the_state_last(shelf: Shelf) -> None:
    folder = _run(shelf.runs)
    write_state(folder, RunState(status="failed", reason="why"))
    _begin(folder, 0, 1)
    finished = _call(shelf, "watch", "0123", "--runs", str(shelf.runs), "--format", "json")
    first, second, state = map(json.loads, finished.out.splitlines())
    assert (first["step"], second["step"]) == (0, 1)
    assert first == {"loop": "fit", "steps": 10, "step": 0, "values": {"loss": 1.0}}
    assert state == {"status": "failed", "reason": "why"}


def test_of_several_runs_the_one_in_progress_is_meant(tmp_path: Path) -> None:
    first = _run(tmp_path, "crossx-s0-0123456789ab")
    _run(tmp_path, "crossx-s1-0123456789ac")
    with RunLock(first):
        assert started_run("crossx", tmp_path) == first
    assert started_run(str(first), tmp_path / "other") == first


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("crossx", "2 runs match 'crossx': crossx-s0-0123456789ab, crossx-s1-0123456789ac"),
        ("crosx-s0", "unknown run 'crosx-s0'; nearest: crossx-s0-0123456789ab, crossx-s1"),
        ("", "unknown run ''"),
        ("/nowhere", "unknown run '/nowhere'"),
        ("shapes", "unknown run 'shapes'"),
    ],
)
def test_runs_that_cannot_be_watched_are_refused_in_one_line(
    shelf: Shelf, named: str, words: str
) -> None:
    _run(shelf.runs, "crossx-s0-0123456789ab")
    _run(shelf.runs, "crossx-s1-0123456789ac")
    assert words in _call(shelf, "watch", named, "--runs", str(shelf.runs)).refused()


def test_board_keeps_the_ends_and_the_shape_of_long_curves() -> None:
    board = CurveBoard()
    board.add(LivePoint("fit", 1000, step, {"up": float(step), "nan": None}) for step in range(999))
    ((loop, name, place, first, last, shape),) = board.rows()
    assert (loop, name, place, first, last) == ("fit", "up", "999 of 1000", "0", "998")
    assert len(shape) == 30
    assert list(shape) == sorted(shape)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _run(tmp_path / "runs")


def _picture(folder: Path, name: str) -> None:
    (folder / "pictures").mkdir(exist_ok=True)
    Image.new("RGB", (6, 4), "red").save(folder / "pictures" / f"{name}.png")


def _events(target: Path) -> tuple[dict[str, list[tuple[int, float]]], list[str]]:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = loading.EventAccumulator(str(target))
    found.Reload()
    tags = found.Tags()
    curves = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in tags["scalars"]}
    return curves, tags["images"]


@pytest.mark.filterwarnings("default")  # those of tensorboard
@pytest.mark.parametrize("when", ["during the run", "before the run", "both"])
def test_events_hold_the_curves_and_pictures_of_this_attempt(
    tmp_path: Path, folder: Path, when: str
) -> None:
    pytest.importorskip("tensorboard")
    if when != "during the run":
        _begin(folder, 0, 1, 2, name="before")
        old = time.time() - 100
        os.utime(folder / "training" / "before.curves.jsonl", (old, old))
    with event_log.EventLog(tmp_path / "tb", folder):
        if when != "before the run":
            _begin(folder, 0, 5, name="during")
            _picture(folder, "generated-pairs")
            _picture(folder, "retrievals")
    curves, images = _events(tmp_path / "tb" / folder.name)
    if when == "before the run":
        assert curves == {"before/loss": [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]}
    else:
        assert curves == {"during/loss": [(0, 1.0), (5, pytest.approx(1 / 6))]}
        assert images == ["generated-pairs"]


@pytest.mark.filterwarnings("default")  # those of tensorboard
def test_a_log_that_fails_does_not_stop_the_run(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    (folder / "training").mkdir()
    (folder / "training" / "fit.curves.jsonl").write_text("other\n", encoding="utf-8")
    with event_log.EventLog(tmp_path / "tb", folder):
        pass
    err = capsys.readouterr().err
    assert err.count("is no longer written") == 1
    assert "TensorBoard events" not in err


RUN = ("run", "--method", "classifier-only", "--dataset", "shapes", "--log-dir")


def test_without_tensorboard_one_line_says_what_to_install(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "find_spec", lambda _: None)
    said = _call(shelf, *RUN, str(shelf.place / "tb")).refused()
    assert "needs the package tensorboard" in said
    assert "pip install 'dfbench-sbir[tensorboard]'" in said


def test_a_log_folder_that_is_a_file_is_refused(shelf: Shelf) -> None:
    pytest.importorskip("tensorboard")
    (shelf.place / "tb").write_text("", encoding="utf-8")
    (shelf.place / "below").write_text("", encoding="utf-8")
    assert _call(shelf, *RUN, str(shelf.place / "tb")).status == 2
    _call(shelf, *RUN, str(shelf.place / "below" / "tb")).refused()
