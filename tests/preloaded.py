"""Real worker processes without the seconds in which each would import torch anew.

They are copies of one process per session that has imported the worker and nothing of the tests:
children of the caller, in a process group of their own, with its environment and descriptors.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

_SERVER = Path(__file__).with_name("preloaded_worker.py")
_START = ("PYTHON", "LD_", "OMP_", "MKL_", "KMP_")
"""Variables that act while Python and torch start: with others of these, a new process starts."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_POLL_SECONDS = 0.005


class Worker:
    """What supervision uses of `subprocess.Popen`."""

    def __init__(self, pid: int, command: Sequence[str]) -> None:
        self.pid = pid
        self.args = command
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises `subprocess.TimeoutExpired`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(_POLL_SECONDS)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Workers:
    """Starts workers; `close` ends the process that they are copies of."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] = {}

    def close(self) -> None:
        """End the process that workers are copies of."""
        if self._process is not None:
            self._connection.close()
            self._process.wait()

    def subprocess(self) -> SimpleNamespace:
        """The module `subprocess`, whose `Popen` starts workers by `start`."""
        return SimpleNamespace(**{**vars(subprocess), "Popen": self.start})

    def start(
        self,
        command: Sequence[str],
        *,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes] | None,
        env: Mapping[str, str],
        pass_fds: tuple[int, ...],
        **more: Any,
    ) -> Worker | subprocess.Popen[bytes]:
        """A worker by the arguments of supervision."""
        options = {"stdout": stdout, "stderr": stderr, "env": env, "pass_fds": pass_fds, **more}
        with self._one_at_a_time:
            if command[:4] != [sys.executable, "-P", "-m", "dfbench.worker"]:
                return subprocess.Popen(command, **options)
            if self._process is None:
                self._open()
            if _starting(env) != _starting(self._environment):
                return subprocess.Popen(command, **options)
            streams = [2 if s is None else s if isinstance(s, int) else s.fileno()
                       for s in (stdout, stderr)]  # fmt: skip
            os.umask(umask := os.umask(0))
            order = {
                "arguments": command[3:],
                "environment": dict(env),
                "place": str(Path.cwd()),
                "umask": umask,
                "parent": os.getpid(),
                "descriptors": [1, 2, *pass_fds],
            }
            return Worker(self._ask(order, [*streams, *pass_fds]), command)

    def _open(self) -> None:
        self._connection, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._environment = dict(os.environ)
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_SERVER), str(other.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
            )

    def _ask(self, order: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The number of a new worker, which becomes this process's child as its parent ends."""
        libc = ctypes.CDLL(None)
        libc.prctl(_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(self._connection, [json.dumps(order).encode()], descriptors)
            return int(self._connection.recv(64))
        finally:
            libc.prctl(_SUBREAPER, 0, 0, 0, 0)


def _starting(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_START)}
