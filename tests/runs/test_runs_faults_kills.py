"""`kill -9` of either process of a run: the same command ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import Bench

from dfbench.process.supervision import Supervision
from dfbench.records.state import RunLock, RunState, held, read_state, write_state
from dfbench.request import Limits
from dfbench.runs.execute import Attempt, attempt

STEPS = 30
EVERY_STEP = Supervision(Limits(checkpoint_seconds=0))


def _until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _steps(faulty: Any) -> list[int]:
    file = faulty.file.with_name("steps")
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def _attempt_killed_when(ready: Callable[[], object], faulty: Any) -> Attempt:
    """An attempt whose method's process gets SIGKILL."""
    ended: list[Attempt] = []
    thread = threading.Thread(
        target=lambda: ended.append(attempt(faulty.plan, supervision=EVERY_STEP))
    )
    thread.start()
    _until(lambda: ready() or not thread.is_alive())
    if thread.is_alive():
        with suppress(ProcessLookupError):  # the fit may just have ended
            os.kill(int(faulty.file.with_name("pid").read_text()), signal.SIGKILL)
    thread.join()
    return ended[0]


def test_killed_fit_goes_on_from_its_last_checkpoint_and_ends_with_the_same_numbers(
    faulty: Any, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.trains()
    draws = np.random.default_rng(0)
    kills = 0
    for moment in sorted(draws.choice(np.arange(2, STEPS), 2, replace=False)):
        killed = _attempt_killed_when(lambda m=moment: len(_steps(faulty)) >= m, faulty)
        kills += killed.run is None
        assert "died (SIGKILL" in (killed.state.reason or "")
    assert kills == 2
    monkeypatch.setenv("PYTHONHASHSEED", "7")  # thus a new process, in which sets differ in order
    ended = attempt(faulty.plan, supervision=EVERY_STEP)
    assert ended.run is not None
    assert ended.run.record.digests.model_dump() == undisturbed
    assert ended.run.record.attempts == 3
    _check_little_was_lost(faulty, kills)


def _check_little_was_lost(faulty: Any, kills: int) -> None:
    """With a checkpoint after each step, a kill costs the step that it met."""
    done = Counter(_steps(faulty))
    assert set(done) == set(range(STEPS))
    assert sum(done.values()) <= STEPS + kills


def _command(faulty: Any) -> list[str]:
    request = faulty.plan.session.request
    settings = [part for k, v in request.settings.items() for part in ("--set", f"{k}={v}")]
    return [
        *(sys.executable, "-c", "from dfbench.cli import main; main()"),
        *("run", "--method", "faulty", "--plugin", str(faulty.file), "--alone"),
        *("--dataset", request.data.name, "--classes", ",".join(request.data.classes)),
        *("--alternative-classes", ",".join(request.data.alternative_classes)),
        *("--device", "cpu", "--threads", "1", "--checkpoint-seconds", "0"),
        *("--cache", str(request.places.cache), "--results", str(request.places.results)),
        *("--runs", str(request.places.runs), *settings),
    ]


def test_run_whose_command_is_killed_takes_its_method_along_and_is_gone_on_with(
    faulty: Any, undisturbed: dict[str, str], shell: dict[str, str]
) -> None:
    faulty.trains()
    folder = faulty.plan.folder
    with subprocess.Popen(_command(faulty), env=shell, stderr=subprocess.PIPE) as process:
        _until(lambda: len(_steps(faulty)) >= 7)
        running = read_state(folder)
        process.kill()
    assert running is not None
    assert running.status == "running"
    _until(lambda: not held(folder))
    stale = read_state(folder)
    assert stale is not None
    assert (stale.status, stale.interrupted) == ("failed", True)
    assert "its process is gone" in (stale.reason or "")
    before = len(_steps(faulty))
    assert before < STEPS
    ended = attempt(faulty.plan, supervision=EVERY_STEP)
    assert ended.run is not None
    assert ended.run.record.digests.model_dump() == undisturbed
    _check_little_was_lost(faulty, kills=1)
    assert list(folder.rglob("*.tmp")) == []


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_no_number(
    faulty: Any, undisturbed: dict[str, str], shell: dict[str, str], tmp_path: Path
) -> None:
    draws, kills = np.random.default_rng(1), 0
    faulty.trains()
    started = time.monotonic()
    subprocess.run(_command(faulty), env=shell, capture_output=True, check=True)
    length = time.monotonic() - started
    for number in range(10):
        faulty.forget_steps()
        one = faulty.at(runs=tmp_path / f"runs {number}", results=tmp_path / f"results {number}")
        kill = _command_killed_after if number % 2 else _method_killed_after
        killed = kill(draws.uniform(0, length), one, shell)
        ended = attempt(one.plan, supervision=EVERY_STEP)
        assert ended.run is not None, ended.state
        assert ended.run.record.digests.model_dump() == undisturbed
        _check_little_was_lost(one, int(killed))
        kills += killed
    assert kills >= 5


def _command_killed_after(seconds: float, faulty: Any, shell: dict[str, str]) -> bool:
    with subprocess.Popen(_command(faulty), env=shell, stderr=subprocess.PIPE) as process:
        time.sleep(seconds)
        process.kill()
    return process.returncode != 0


def _method_killed_after(seconds: float, faulty: Any, _: dict[str, str]) -> bool:
    """Killed after this time or, if its process is not there yet, after its first step."""
    moment = time.monotonic() + seconds
    killed = _attempt_killed_when(lambda: time.monotonic() > moment and _steps(faulty), faulty)
    return killed.run is None


def test_two_commands_for_the_same_run_at_once_fit_it_once(
    faulty: Any, shell: dict[str, str]
) -> None:
    faulty.trains()
    both = [
        subprocess.Popen(_command(faulty), env=shell, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert Counter(_steps(faulty)) == Counter(range(STEPS))
    assert len(faulty.results) == 1
    assert sum("already done" in text for text in said) == 1


def test_stop_ends_a_run_as_an_interrupt_would(faulty: Any) -> None:
    faulty.trains()
    supervision = Supervision(Limits(checkpoint_seconds=0))
    timer = threading.Thread(
        target=lambda: (_until(lambda: len(_steps(faulty)) > 3), supervision.stop.set())
    )
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        attempt(faulty.plan, supervision=supervision)
    timer.join()
    state = read_state(faulty.plan.folder)
    assert state is not None
    assert (state.status, state.interrupted) == ("failed", True)
    assert "resume from its last checkpoint" in (state.reason or "")


def test_forced_run_that_was_killed_goes_on_instead_of_starting_again(faulty: Any) -> None:
    faulty.trains()
    first = attempt(faulty.plan)
    assert first.run is not None
    faulty.file.with_name("steps").unlink()
    write_state(faulty.plan.folder, RunState(status="running"))  # as a killed attempt leaves it
    again = attempt(faulty.plan, force=True, supervision=EVERY_STEP)
    assert again.run is not None
    assert again.run.record.digests == first.run.record.digests
    assert again.run.record.attempts == 2


def test_stored_running_is_believed_as_long_as_a_process_holds_the_lock(tmp_path: Path) -> None:
    write_state(tmp_path, RunState(status="running"))
    with RunLock(tmp_path):
        state = read_state(tmp_path)
        assert state is not None
        assert state.status == "running"
    gone = read_state(tmp_path)
    assert gone is not None
    assert (gone.status, gone.interrupted) == ("failed", True)


def test_folder_in_which_nothing_was_begun_has_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None


def test_unreadable_state_is_told_and_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"status": "do')
    state = read_state(tmp_path)
    assert state is not None
    assert (state.status, state.interrupted) == ("failed", True)
    assert "cannot be read" in (state.reason or "")


def test_leftovers_of_a_killed_process_go_with_the_next_attempt(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    (outcome,) = quick_bench.runs.rglob("outcome.json")
    leftover = outcome.parent / "training" / ".crossx.a.checkpoint.123-4.tmp"
    leftover.parent.mkdir(exist_ok=True)
    leftover.write_bytes(b"half")
    write_state(outcome.parent, RunState(status="running"))
    quick_bench.record("classifier-only", "--force")
    assert not leftover.exists()
