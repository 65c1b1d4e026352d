from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from dfbench.system import locks
from dfbench.system.file_errors import FileFault
from dfbench.system.locks import FileLock, is_locked


def test_lock_is_held_inside_the_block_only_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with FileLock(path, "waiting"):
        assert is_locked(path)
    assert not is_locked(path)
    assert not path.exists()


def _holders(path: Path, *, threads: int, rounds: int) -> list[int]:
    """How many threads hold the lock at each time that one of them takes it."""
    inside, held = [], []

    def work() -> None:
        for _ in range(rounds):
            with FileLock(path, "waiting"):
                inside.append(1)
                held.append(len(inside))
                inside.pop()

    started = [threading.Thread(target=work) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return held


def test_two_threads_never_hold_a_lock_at_once(tmp_path: Path) -> None:
    assert _holders(tmp_path / "lock", threads=4, rounds=20) == [1] * 80


_OWNER = """
import subprocess, sys
from pathlib import Path
from dfbench.system.locks import FileLock
with FileLock(Path(sys.argv[1]), "waiting") as lock:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    inherited = (lock.descriptor,)
    child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=inherited)
    print(child.pid, flush=True)
    child.wait()
"""


def test_process_that_inherits_a_lock_holds_it_after_its_owner_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", _OWNER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        child.suspend()  # it would end with the pipe to its owner
        owner.kill()
        owner.wait()
        assert is_locked(path)
        child.kill()
        child.wait()
    assert not is_locked(path)


def test_lock_is_free_once_its_owner_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = _OWNER.replace("pass_fds=inherited", "pass_fds=()")
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        assert is_locked(path)
        owner.kill()
        owner.wait()
    with FileLock(path, "waiting"):
        assert is_locked(path)


def test_lock_whose_folder_is_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    with FileLock(path, "waiting"):
        path.unlink()
        path.parent.rmdir()
        with FileLock(path, "waiting"):
            assert is_locked(path)


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


@pytest.fixture(params=[errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def lockless(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder on a file system without locks, as Lustre without `flock` and some of NFS."""
    place = tmp_path / "lustre"
    place.mkdir()
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(place):
            raise OSError(request.param, os.strerror(request.param))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    monkeypatch.setattr(locks, "_told_devices", set())
    return place


def test_processes_are_kept_apart_without_locks_of_the_file_system_and_it_is_said_once(
    lockless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lockless / "run" / ".lock"
    stop = threading.Event()
    with FileLock(path, "waiting"):
        assert is_locked(path)
        stop.set()
        with pytest.raises(KeyboardInterrupt), FileLock(path, "in the way", stop):
            pass
    assert not is_locked(path)
    with FileLock(path, "waiting") as lock:
        assert lock.descriptor
    assert list(path.parent.iterdir()) == []
    assert capsys.readouterr().err.count("has no file locks: processes on this machine") == 1


def test_two_threads_never_hold_a_lock_at_once_without_locks_of_the_file_system(
    lockless: Path,
) -> None:
    assert _holders(lockless / "lock", threads=3, rounds=5) == [1] * 15


def test_locks_of_two_files_are_two_without_locks_of_the_file_system(lockless: Path) -> None:
    with FileLock(lockless / "a", "waiting"):
        assert not is_locked(lockless / "b")
        with FileLock(lockless / "b", "waiting"):
            assert is_locked(lockless / "a")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ESTALE, errno.ENOSPC])
def test_lock_that_cannot_be_made_is_one_line(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: object, *_: object) -> int:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(FileFault, match="write"), FileLock(tmp_path / "lock", "waiting"):
        pass
