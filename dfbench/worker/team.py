"""The processes that share a fit: started, watched and ended by the first of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from pydantic import ValidationError

from dfbench.errors import DfbenchError, InvalidInput, PluginFault
from dfbench.learning.group import ProcessGroup, joined_group
from dfbench.process.folder import JOB_FILE, OUTCOME_FILE
from dfbench.process.messages import Fault, FitEnded, Job, Outcome, leave_outcome
from dfbench.system.files import atomic_path, own_umask

_FOLDER = "replicas"
_MEETING = "meeting"
_LOG = "log.txt"
_GLANCE_SECONDS = 0.1
_GRACE_SECONDS = 10.0


@contextmanager
def team(job: Job, folder: Path) -> Iterator[ProcessGroup | None]:
    """The group of the processes that share a job; None for a single process.

    The first process starts the others and ends them after the block. If one of them is lost, it
    raises `FitEnded` with the cause; if it is stuck waiting, it stores the cause as the outcome and
    exits. Raises `InvalidInput` if there are too few GPUs.
    """
    if job.leader is not None:
        _settle(job)
        with _joined(job, job.leader) as group:
            yield group
        return
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)
    if job.devices == 1:
        yield None
        return
    _settle(job)
    followers = _Followers(job, folder)
    try:
        with _joined(job, folder) as group:
            yield group
    except Exception as fault:
        followers.explain(fault)
        raise
    finally:
        followers.end()
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)


@contextmanager
def _joined(job: Job, folder: Path) -> Iterator[ProcessGroup]:
    meeting = folder / _FOLDER / _MEETING
    with joined_group(job.rank, job.devices, meeting, torch.device(job.device)) as group:
        yield group
        group.wait()  # a process that left early would count as lost


def _settle(job: Job) -> None:
    """Choose this process's GPU, and the loopback interface for communication on the CPU."""
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if job.device != "cuda":
        return
    count = torch.cuda.device_count()
    if count < job.devices:
        raise InvalidInput(
            f"--devices {job.devices} with {count} GPUs available; allowed: 1 to {count}"
        )
    torch.cuda.set_device(job.rank)


class _Followers:
    """The other processes of a job, each in its own folder."""

    def __init__(self, job: Job, folder: Path) -> None:
        self._home = folder
        self._folders = [folder / _FOLDER / str(rank) for rank in range(1, job.devices)]
        self._processes = [
            _started(job.model_copy(update={"rank": rank, "leader": folder.resolve()}), place)
            for rank, place in enumerate(self._folders, start=1)
        ]
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def explain(self, fault: Exception) -> None:
        """Raise `FitEnded` if `fault` was caused by the loss of another process."""
        own = isinstance(fault, DfbenchError | FitEnded) and not isinstance(fault, PluginFault)
        deadline = time.monotonic() + (0 if own else _GRACE_SECONDS / 2)
        while (lost := self._lost()) is None and time.monotonic() < deadline:
            time.sleep(_GLANCE_SECONDS)
        if lost is not None and not own:
            raise FitEnded(lost) from fault

    def end(self) -> None:
        """Kill all of them."""
        self._over.set()
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def _watch(self) -> None:
        """End this process if it keeps waiting for a lost one."""
        while (lost := self._lost()) is None:
            if self._over.wait(_GLANCE_SECONDS):
                return
        if not self._over.wait(_GRACE_SECONDS):
            leave_outcome(self._home, Outcome(fault=lost))
            os._exit(1)

    def _lost(self) -> Fault | None:
        """The error of the first process that ended early; None if none did."""
        for place, process in zip(self._folders, self._processes, strict=True):
            if process.poll():
                return _stored_fault(place) or _died(
                    place, process.returncode, len(self._processes) + 1
                )
        return None


def _started(job: Job, folder: Path) -> subprocess.Popen[bytes]:
    with own_umask():
        folder.mkdir(parents=True)
    with atomic_path(folder / JOB_FILE) as temporary:
        temporary.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "dfbench.worker", "fit", str(folder), str(os.getpid())]
    with (folder / _LOG).open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _stored_fault(folder: Path) -> Fault | None:
    """The error that a process stored as its outcome."""
    try:
        return Outcome.model_validate_json((folder / OUTCOME_FILE).read_bytes()).fault
    except (OSError, ValidationError):
        return None


def _died(folder: Path, status: int, count: int) -> Fault:
    known = {number.value: number.name for number in signal.Signals}
    how = known.get(-status, f"signal {-status}") if status < 0 else f"exit status {status}"
    return Fault(
        message=f"process {int(folder.name) + 1} of the {count} that share this fit died ({how}); "
        "nothing was scored; repeat the same command to resume from the last checkpoint"
    )
