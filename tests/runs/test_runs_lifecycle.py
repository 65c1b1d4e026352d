"""Runs that are repeated, killed, interrupted or out of disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bench import Bench
from plugin_text import method_text
from safetensors import safe_open

IMPATIENT = """
# Kills its process once, after a checkpoint in the middle.
import os
import signal
from pathlib import Path

from dfbench.learning import loop

HERE = Path(__file__).parent
save = loop.TrainingLoop.save


def save_and_die(self, next_step):
    save(self, next_step)
    marker = HERE / "killed"
    if next_step == {step} and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


loop.TrainingLoop.save = save_and_die
"""


def _digests(record: dict[str, Any]) -> dict[str, str]:
    digests: dict[str, str] = record["digests"]
    return digests


def test_crossx_killed_after_a_checkpoint_ends_with_the_numbers_of_an_uninterrupted_run(
    bench: Bench,
) -> None:
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    whole = bench.record("crossx", *elsewhere)
    plugin = bench.plugin(IMPATIENT.format(step=6), "impatient")
    again = ("--plugin", str(plugin), "--checkpoint-seconds", "0")
    killed = bench.run("crossx", *again)
    assert "died (SIGKILL" in killed.refused()
    assert len(list(bench.runs.rglob("crossx.?.checkpoint"))) == 2
    assert list(bench.runs.rglob("*.npy")) == []
    resumed = bench.record("crossx", *again)
    assert _digests(resumed) == _digests(whole)
    assert resumed["attempts"] == 2
    assert resumed["fit_id"] == whole["fit_id"]
    assert list(bench.runs.rglob("*.checkpoint")) == []


def test_crossx_resumes_at_every_step_with_the_same_numbers(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfbench.learning import loop

    elsewhere = (
        "--results",
        str(quick_bench.place / "r2"),
        "--runs",
        str(quick_bench.place / "x2"),
    )
    whole = quick_bench.record("crossx", *elsewhere)
    save = loop.TrainingLoop.save
    stops = []

    def stop_each_time(self: loop.TrainingLoop, next_step: int) -> None:
        save(self, next_step)
        if next_step < self.steps:
            stops.append(next_step)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop.TrainingLoop, "save", stop_each_time)
    for _ in range(20):
        finished = quick_bench.run("crossx", "--format", "json", "--checkpoint-seconds", "0")
        if finished.status == 0:
            break
        assert finished.status == 130
        assert "repeat the same command" in finished.err
    assert stops == list(range(1, 8))
    assert _digests(finished.json) == _digests(whole)


def test_second_run_finds_the_finished_record_and_says_so(quick_bench: Bench) -> None:
    first = quick_bench.record("classifier-posterior")
    path = next(quick_bench.results.rglob("*.json"))
    before = path.stat().st_mtime_ns
    second = quick_bench.run("classifier-posterior")
    assert second.status == 0
    assert f"classifier-posterior: already done ({path}); --force repeats it" in second.err
    assert path.stat().st_mtime_ns == before
    assert quick_bench.record("classifier-posterior") == first


@pytest.mark.parametrize("method", ["classifier-posterior", "crossx"])
def test_forced_run_is_repeated_with_the_same_digests(method: str, quick_bench: Bench) -> None:
    first = quick_bench.record(method)
    again = quick_bench.run(method, "--force")
    assert again.status == 0
    assert "repeated, with identical digests" in again.err
    assert first["digests"]["embeddings"] in again.err
    records = list(quick_bench.results.rglob("*.json"))
    assert len(records) == 1
    assert _digests(json.loads(records[0].read_text())) == _digests(first)


def test_other_seed_setting_or_data_is_another_run(quick_bench: Bench) -> None:
    base = quick_bench.record("classifier-posterior")
    others = [
        quick_bench.record("classifier-posterior", "--seed", "1"),
        quick_bench.record("classifier-posterior", "--set", "temperature=2"),
        quick_bench.record("classifier-posterior", "--classes", "boat,sun"),
        quick_bench.record("classifier-posterior", "--image-size", "16"),
    ]
    identities = {record["eval_id"] for record in (base, *others)}
    assert len(identities) == 5
    assert len(list(quick_bench.results.rglob("*.json"))) == 5


def test_identity_does_not_depend_on_where_things_lie(quick_bench: Bench, tmp_path: Path) -> None:
    first = quick_bench.record("classifier-only")
    moved = tmp_path / "elsewhere" / "other-name"
    moved.parent.mkdir()
    shutil.copytree(quick_bench.pictures, moved)
    second = quick_bench.record(
        "classifier-only",
        *("--dataset", f"folder:{moved}", "--results", str(tmp_path / "r2")),
        *("--runs", str(tmp_path / "x2"), "--cache", str(tmp_path / "c2")),
    )
    assert second["fit_id"] == first["fit_id"]
    assert _digests(second) == _digests(first)
    assert second["data"]["name"] == "folder:other-name"


def test_images_under_another_folder_name_get_the_pictures_of_their_run(
    quick_bench: Bench, tmp_path: Path
) -> None:
    quick_bench.record("classifier-only")
    moved = tmp_path / "moved"
    shutil.copytree(quick_bench.pictures, moved)
    again = quick_bench.run("classifier-only", "--dataset", f"folder:{moved}")
    assert "already done" in again.err
    named = next(line for line in again.err.splitlines() if line.startswith("pictures: "))
    assert (Path(named.removeprefix("pictures: ")) / "retrievals.png").is_file()


def test_run_leaves_networks_without_pickles_and_pictures(quick_bench: Bench) -> None:
    record = quick_bench.record("crossx")
    (folder,) = (path.parent for path in quick_bench.runs.rglob("outcome.json"))
    assert record["fit_id"].startswith(folder.name.rpartition("-")[2])
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "encoders.safetensors",
        "embeddings.safetensors",
        "embeddings-posterior.safetensors",
        "per_query.npz",
        "pictures/retrievals.png",
        "pictures/generated-pairs.png",
    } <= names
    assert not any(name.endswith((".pt", ".pth", ".pkl", ".checkpoint", ".npy")) for name in names)
    with safe_open(folder / "encoders.safetensors", "pt") as weights:
        assert any(name.startswith("photo.backbone") for name in weights.keys())  # noqa: SIM118
    cached = {path.suffix for path in (quick_bench.cache / "teachers").iterdir()}
    assert cached == {".safetensors"}


def test_crossx_leaves_its_teachers_as_they_were(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    files = sorted((quick_bench.cache / "teachers").iterdir())
    before = {path.name: path.read_bytes() for path in files}
    quick_bench.record("crossx", "--force")
    after = {path.name: path.read_bytes() for path in files}
    assert before == after


def test_teachers_are_trained_once_for_all_rows(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = quick_bench.record("classifier-only")
    from dfbench.teachers import store

    def no_training(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(store, "train_teacher", no_training)
    second = quick_bench.record("classifier-logits")
    assert second["teachers"] == first["teachers"]


def test_disk_that_fills_up_in_a_run_is_one_line_and_nothing_is_scored(
    quick_bench: Bench, full_disk: Any
) -> None:
    quick_bench.record("classifier-only")  # Data and teachers are in the cache.
    full_disk(20_000)
    line = quick_bench.run("crossx").refused()
    assert "no space left to write" in line
    assert "repeat the same command" in line
    assert [path.name for path in quick_bench.results.rglob("crossx*")] == []
    assert list(quick_bench.runs.rglob("*.tmp")) == []


@pytest.mark.parametrize("room", [10, 500])
def test_disk_without_room_for_the_childs_answer_is_one_line(
    room: int, quick_bench: Bench, monkeypatch: pytest.MonkeyPatch, full_disk: Any
) -> None:
    from dfbench.worker import verbs as worker

    real = worker.describe

    def describe(folder: Path) -> Any:
        full_disk(room)
        return real(folder)

    monkeypatch.setitem(worker.VERBS, "describe", describe)
    line = quick_bench.run("crossx").refused()
    assert "no space left to write outcome.json" in line


SLEEPER = method_text(
    "sleeper",
    """Path(__file__).with_name("asleep").touch()
        time.sleep(60)""",
    head="import time\nfrom pathlib import Path\n",
)


def _interrupted(bench: Bench, shell: dict[str, str], ready: Path, *arguments: str) -> str:
    """Standard error of a command that gets Ctrl-C, as a terminal sends it, once `ready` is there.

    The exit status has to be 130.
    """
    command = [sys.executable, "-c", "from dfbench.cli import main; main()", *arguments]
    with subprocess.Popen(
        command, env=shell, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 90
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert list(bench.results.rglob("*.json")) == []
    assert list(bench.runs.rglob("*.npy")) == []
    return err


def test_ctrl_c_while_a_method_fits_ends_cleanly_and_says_how_to_go_on(
    bench: Bench, shell: dict[str, str]
) -> None:
    plugin = bench.plugin(SLEEPER, "sleeper")
    arguments = bench.arguments("sleeper", "--plugin", str(plugin))
    err = _interrupted(bench, shell, bench.place / "asleep", *arguments)
    assert "interrupted; trained teachers and checkpoints are kept: repeat the same command" in err
    assert "Traceback" not in err


def test_ctrl_c_while_a_process_is_still_importing_is_as_quiet(
    bench: Bench, shell: dict[str, str]
) -> None:
    ready = bench.place / "importing"
    text = f"from pathlib import Path\nPath({str(ready)!r}).touch()\n"
    hook = bench.place / "site"
    hook.mkdir()
    # Every process of this Python that imports torch says so first.
    (hook / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'torch' and 'describe' in sys.argv:\n"
        + "".join(f"            {line}\n" for line in text.splitlines())
        + "sys.meta_path.insert(0, Finder)\n"
    )
    path = f"{hook}{os.pathsep}{shell.get('PYTHONPATH', '')}"
    environment = {**shell, "PYTHONPATH": path}
    err = _interrupted(bench, environment, ready, *bench.arguments("classifier-only"))
    assert "interrupted" in err
    assert "Traceback" not in err
