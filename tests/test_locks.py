from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dfbench.locks import FileLock, is_locked


def test_lock_is_held_inside_the_block_only_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with FileLock(path, "waiting"):
        assert is_locked(path)
    assert not is_locked(path)
    assert not path.exists()


def test_two_threads_never_hold_a_lock_at_once(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        for _ in range(20):
            with FileLock(tmp_path / "lock", "waiting"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 80


def test_process_that_inherits_a_lock_holds_it_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", "input()"]
    lock = FileLock(path, "waiting").__enter__()
    inherited = (lock.descriptor,)
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=inherited) as process:
        copy = path.with_name("same")
        copy.hardlink_to(path)  # the name that a killed process would have left
        lock.__exit__(None, None, None)
        assert is_locked(copy)
        process.kill()
        process.wait()
        assert not is_locked(copy)


def test_lock_left_by_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    assert not is_locked(path)
    with FileLock(path, "waiting"):
        assert is_locked(path)


def test_waiting_is_said_once_and_ends_when_it_is_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.5, stop.set)
    with FileLock(tmp_path / "lock", "waiting"):
        timer.start()
        with pytest.raises(KeyboardInterrupt), FileLock(tmp_path / "lock", "in the way", stop):
            pass
    assert capsys.readouterr().err.count("in the way") == 1
