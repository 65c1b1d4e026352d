"""`dfbench suite run`: what is missing is done, failures are kept and named, nothing is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bench import Bench
from suite_bench import WriteSuite, places, reasons, statuses, suite

from dfbench.errors import MemoryExceeded, ProcessEnded, RunTimeout
from dfbench.process.launch import ChildDied
from dfbench.records.state import failure
from dfbench.suites import report as progress

MOODY = """
# Methods that do as they like; `mended` beside this file makes the failing one work.
import os
import signal
import time
from pathlib import Path

from torch import nn

from dfbench import Encoders, Method, MethodSpec, hookimpl

HERE = Path(__file__).parent
NAMES = ("steady", "failing", "hanging", "leaving", "killed")


@hookimpl
def dfbench_methods():
    return [MethodSpec(name, name.title(), f"moody:{name.title()}") for name in NAMES]


class Steady(Method):
    name, title, version = "steady", "Steady", 1

    def fit(self, setting):
        (HERE / f"fitted-{self.name}-{setting.seed}-{os.getpid()}").touch()
        self.act()
        return Encoders(nn.Flatten(), nn.Flatten())

    def act(self):
        pass


class Failing(Steady):
    name, title = "failing", "Failing"

    def act(self):
        if not (HERE / "mended").exists():
            raise ValueError("not today")


class Hanging(Steady):
    name, title = "hanging", "Hanging"

    def act(self):
        if not (HERE / "mended").exists():
            time.sleep(60)


class Leaving(Steady):
    name, title = "leaving", "Leaving"

    def act(self):
        os._exit(3)


class Killed(Steady):
    name, title = "killed", "Killed"

    def act(self):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def moody(bench: Bench) -> tuple[str, str]:
    """The option that loads the moody methods."""
    return "--plugin", str(bench.plugin(MOODY, "moody"))


def _fits(bench: Bench, name: str) -> int:
    return len(list(bench.place.glob(f"fitted-{name}-*")))


def _command(bench: Bench, verb: str, file: Path, *extra: str) -> list[str]:
    start = [sys.executable, "-c", "from dfbench.cli import main; main()"]
    return [*start, "suite", verb, str(file), *places(bench), *extra]


def _digests(content: Any) -> dict[tuple[str, int], Any]:
    return {(run["method"], run["seed"]): run["digests"] for run in content["runs"]}


@contextmanager
def _started(command: list[str], shell: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, which is gone when the block ends."""
    with subprocess.Popen(
        command,
        env=shell,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for(there: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is there, as long as the process that makes it lives."""
    deadline = time.monotonic() + 120
    while not there():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_finished_runs_are_not_repeated(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str]
) -> None:
    file = write_suite('["steady"]', "[0, 1]")
    first = suite(quick_bench, "run", file, *moody)
    assert first.status == 0, first.err
    assert "2 runs: 2 done" in first.out
    second = suite(quick_bench, "run", file, *moody, "--format", "json")
    assert second.status == 0
    assert statuses(second) == {("steady", 0): "done", ("steady", 1): "done"}
    assert second.err == ""
    assert _fits(quick_bench, "steady") == 2


def test_failure_is_kept_until_it_is_to_be_tried_again(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str]
) -> None:
    file = write_suite('["failing", "steady"]')
    for _ in range(2):
        finished = suite(quick_bench, "run", file, *moody, "--format", "json")
        assert finished.status == 1
        assert statuses(finished) == {("failing", 0): "failed", ("steady", 0): "done"}
        assert "fit() raised ValueError: not today" in reasons(finished.json)["failing"]
    assert _fits(quick_bench, "failing") == 1
    (quick_bench.place / "mended").touch()
    assert suite(quick_bench, "run", file, *moody, "--retry", "timeout").status == 1
    retried = suite(quick_bench, "run", file, *moody, "--retry", "failed", "--format", "json")
    assert retried.status == 0, retried.err
    assert set(statuses(retried).values()) == {"done"}


def test_failure_names_its_traceback_and_the_command_that_tries_it_again(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str]
) -> None:
    file = write_suite('["failing", "steady"]')
    finished = suite(quick_bench, "run", file, *moody)
    assert finished.status == 1
    (named,) = re.findall(r"not today \(traceback: (\S+)\)", finished.out)
    assert "ValueError: not today" in Path(named).read_text()
    again = f"dfbench suite run {file} --retry failed"
    assert f"to repeat these from their last checkpoints: {again}" in finished.out.splitlines()
    assert "same command" not in finished.out
    (quick_bench.place / "mended").touch()
    mended = suite(quick_bench, "run", file, *moody, "--retry", "failed")
    assert mended.status == 0, mended.err
    assert "--retry" not in mended.out


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ChildDied("the process died (SIGSEGV)", "repeat the same command", 0.0), "failed"),
        (MemoryExceeded("it held too much", "try --memory-limit", 0.0), "failed"),
        (RunTimeout("not done after 5 s", "repeat the same command", 0.0), "timeout"),
    ],
)
def test_reason_of_a_run_is_free_of_advice_that_fits_one_command_only(
    fault: ProcessEnded, status: str
) -> None:
    state = failure(fault)
    assert state.status == status
    assert state.reason == str(fault).partition(";")[0]


def test_suite_without_a_terminal_says_what_is_going_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 7.0))
    task = SimpleNamespace(key=("a", "photo teacher"), network="photo teacher", title="T on D")
    lines = progress.Lines(3)
    lines.begun(task)  # type: ignore[arg-type]  # what of a task is printed
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 127.0))
    lines.still([task])  # type: ignore[list-item]  # likewise
    assert capsys.readouterr().err.splitlines() == [
        "training T on D",
        "[0/3] running: T on D (2 min 0 s)",
    ]


def test_fail_fast_leaves_the_rest_planned(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str]
) -> None:
    file = write_suite('["failing", "steady"]')
    finished = suite(quick_bench, "run", file, *moody, "--fail-fast", "--format", "json")
    assert finished.status == 1
    assert statuses(finished) == {("failing", 0): "failed", ("steady", 0): "planned"}


def test_part_of_a_suite_can_be_run(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str]
) -> None:
    file = write_suite('["steady", "failing"]', "[0, 1]")
    chosen = ("--only", "st*", "--except", "seed=0")
    finished = suite(quick_bench, "run", file, *moody, *chosen, "--format", "json")
    assert statuses(finished) == {("steady", 1): "done"}
    everything = suite(quick_bench, "status", file, *moody, "--format", "json")
    assert sorted(statuses(everything).values()) == ["done", "planned", "planned", "planned"]


def test_every_run_that_can_finish_does_and_every_cause_is_named(
    bench: Bench, write_suite: WriteSuite, moody: tuple[str, str]
) -> None:
    file = write_suite('["failing", "hanging", "leaving", "killed", "steady"]')
    limited = suite(bench, "run", file, *moody, "--only", "hanging", "--timeout", "3")
    assert limited.status == 1
    finished = suite(bench, "run", file, *moody, "--jobs", "2")
    assert finished.status == 1
    status = suite(bench, "status", file, *moody, "--format", "json")
    assert statuses(status) == {
        ("failing", 0): "failed",
        ("hanging", 0): "timeout",
        ("leaving", 0): "failed",
        ("killed", 0): "failed",
        ("steady", 0): "done",
    }
    why = reasons(status.json)
    assert "ValueError: not today" in why["failing"]
    assert "not done after 3 s" in why["hanging"]
    assert "exit status 3" in why["leaving"]
    assert "SIGKILL" in why["killed"]
    assert "Traceback" not in finished.err


def test_output_of_runs_side_by_side_goes_to_their_logs(
    bench: Bench, write_suite: WriteSuite
) -> None:
    plugin = bench.plugin(MOODY.replace("        pass", "        print('words')"), "moody")
    file = write_suite('["steady"]')
    finished = suite(bench, "run", file, "--plugin", str(plugin), "--jobs", "2")
    assert finished.status == 0, finished.err
    assert "words" not in finished.out + finished.err
    assert [log.read_text() for log in bench.runs.rglob("log.txt")] == ["words\n"]


def test_two_processes_on_one_suite_share_its_runs(
    bench: Bench, write_suite: WriteSuite, moody: tuple[str, str], shell: dict[str, str]
) -> None:
    file = write_suite('["steady", "classifier-posterior"]', "[0, 1]")
    command = _command(bench, "run", file, *moody, "--format", "json")
    with _started(command, shell) as one, _started(command, shell) as other:
        ended = [process.communicate(timeout=240) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), ended
    first, second = (json.loads(out) for out, _ in ended)
    assert _digests(first) == _digests(second)
    assert first["totals"]["done"] == 4
    assert _fits(bench, "steady") == 2


def test_suite_whose_process_is_killed_goes_on_with_the_same_numbers(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str], shell: dict[str, str]
) -> None:
    file = write_suite('["hanging", "classifier-posterior"]')
    with _started(_command(quick_bench, "run", file, *moody), shell) as process:
        _wait_for(lambda: _fits(quick_bench, "hanging"), process)
        running = suite(quick_bench, "status", file, *moody, "--format", "json")
        assert statuses(running)["hanging", 0] == "running"
        os.kill(process.pid, signal.SIGKILL)
    gone = int(next(quick_bench.place.glob("fitted-hanging-*")).name.rpartition("-")[2])
    _wait_for(lambda: not Path(f"/proc/{gone}").exists())
    status = suite(quick_bench, "status", file, *moody, "--format", "json")
    assert statuses(status)["hanging", 0] == "failed"
    assert "its process is gone" in reasons(status.json)["hanging"]
    (quick_bench.place / "mended").touch()
    again = suite(quick_bench, "run", file, *moody, "--format", "json")
    assert again.status == 0, again.err
    elsewhere = (
        "--results",
        str(quick_bench.place / "r2"),
        "--runs",
        str(quick_bench.place / "x2"),
    )
    undisturbed = suite(quick_bench, "run", file, *moody, *elsewhere, "--format", "json")
    assert _digests(again.json) == _digests(undisturbed.json)


def test_ctrl_c_ends_the_runs_and_the_same_command_goes_on(
    quick_bench: Bench, write_suite: WriteSuite, moody: tuple[str, str], shell: dict[str, str]
) -> None:
    file = write_suite('["hanging"]', "[0, 1]")
    with _started(_command(quick_bench, "run", file, *moody, "--jobs", "2"), shell) as process:
        _wait_for(lambda: _fits(quick_bench, "hanging") == 2, process)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    status = suite(quick_bench, "status", file, *moody, "--format", "json")
    assert [run["missing"] for run in status.json["runs"]] == [True, True]
    (quick_bench.place / "mended").touch()
    assert suite(quick_bench, "run", file, *moody).status == 0
