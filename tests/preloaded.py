"""Child processes of tests, forked from one process that has imported torch and dfbench.

Importing torch takes two seconds, Dynamo another, and the tests start over a thousand commands,
workers and plugin probes. Each is a real process: a child of the caller with the caller's
environment, folder and descriptors, which receives signals and exits like any other. Linux only.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LEAVES = {("-P", "-m", "dfbench.worker"), ("-P", "-m", "dfbench.plugins.probe")}
"""Beginnings of commands that start none of these, but for a fit that several processes share."""
BRANCHES = {
    ("-c", "from dfbench.cli import main; main()"),
    ("-m", "dfbench"),
    ("-m", "benchmarks.perf.gpu"),
    ("-m", "benchmarks.perf.reading"),
    ("-m", "benchmarks.perf.training"),
}
"""Beginnings of commands that start others of these."""
SCRIPTS = {str(Path(__file__).with_name("methods") / "side_by_side.py")}
"""Programs of tests that train and start none of these."""
_START = ("PYTHON", "LD_", "OMP_", "MKL_", "KMP_")
"""Variables that act while Python and torch start: a copy comes too late for others of these."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_ORDER_BYTES = 2**17
_DESCRIPTORS = 16
_ABOVE = 200
"""Received descriptors are moved above this number, out of the way of those they become."""


class Popen(subprocess.Popen[Any]):
    """`subprocess.Popen`, which starts commands, workers and probes of plugins as copies."""

    source: Source

    def _execute_child(self, args: Any, executable: Any, *more: Any) -> None:
        preexec_fn, _, pass_fds, cwd, env, _, _, _, *rest = more
        pipes, (*_, start_new_session, process_group) = rest[:6], rest[6:]
        environment = dict(os.environ if env is None else env)
        if preexec_fn is not None or not self.source.makes(args, environment):
            super()._execute_child(args, executable, *more)  # type: ignore[misc]
            return
        p2cread, _, _, c2pwrite, _, errwrite = pipes
        streams = [own if p == -1 else p for own, p in enumerate((p2cread, c2pwrite, errwrite))]
        os.umask(umask := os.umask(0))
        self.pid = self.source.copy(
            {
                "arguments": [*args[1:]],
                "environment": environment,
                "place": str(cwd or Path.cwd()),
                "umask": umask,
                "session": start_new_session,
                "group": process_group,
                "descriptors": [0, 1, 2, *pass_fds],
            },
            [*streams, *pass_fds],
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


class Source:
    """The process that is copied: started when it is first needed, or a copy of this one."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._connection: socket.socket | None = None
        self._environment = _starting(os.environ)

    def makes(self, command: Any, environment: Mapping[str, str]) -> bool:
        """Whether a copy would be what the command starts."""
        return (
            isinstance(command, Sequence)
            and command[0] == sys.executable
            and (
                tuple(command[1:4]) in LEAVES
                or tuple(command[1:3]) in BRANCHES
                or command[1] in SCRIPTS
            )
            and _starting(environment) == self._environment
        )

    def copy(self, order: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The number of a new process, this one's child."""
        content = json.dumps({**order, "parent": os.getpid()}).encode()
        libc = ctypes.CDLL(None)
        with self._one_at_a_time:
            connection = self._connection or self.open()
            libc.prctl(_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(connection, [content], descriptors)
                return int(connection.recv(64))
            finally:
                libc.prctl(_SUBREAPER, 0, 0, 0, 0)

    def open(self) -> socket.socket:
        """Start the process that is copied."""
        self._connection, other = _pair()
        with other:
            command = [sys.executable, "-P", __file__, str(other.fileno())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(other.fileno(),)
            )
        return self._connection

    def fork(self) -> None:
        """Copy this process, as long as it is as it started."""
        self._connection, other = _pair()
        if os.fork():
            other.close()
            return
        self._connection.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        silent = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(silent, fd)
        _serve(other)
        os._exit(0)

    def close(self) -> None:
        """End the process that is copied."""
        if self._connection is not None:
            self._connection.close()
            self._process.wait()


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _starting(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_START)}


def _serve(connection: socket.socket) -> None:
    """Start copies until the other side is gone."""
    while True:
        content, received, *_ = socket.recv_fds(connection, _ORDER_BYTES, _DESCRIPTORS)
        if not content:
            return
        connection.send(str(_copied(json.loads(content), received)).encode())
        for fd in received:
            os.close(fd)


def _copied(order: Mapping[str, Any], received: list[int]) -> int:
    """The number of a copy whose own parent has ended, so that the caller adopts it."""
    reading, writing = os.pipe()
    between = os.fork()
    if between:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            number = int(pipe.read())
        os.waitpid(between, 0)
        return number
    copy = os.fork()
    if copy:
        os.write(writing, str(copy).encode())
        os._exit(0)
    _become(order, received)
    return 0


def _become(order: Mapping[str, Any], received: list[int]) -> None:
    """Be what the order asks for, from its start to its end."""
    if order["session"]:
        os.setsid()
    elif order["group"] == 0:
        os.setpgid(0, 0)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, _ABOVE) for fd in received]
    os.closerange(3, _ABOVE)
    for fd, number in zip(moved, order["descriptors"], strict=True):
        os.dup2(fd, number, inheritable=True)
    os.closerange(_ABOVE, _ABOVE + _DESCRIPTORS)
    _open_streams()
    os.chdir(order["place"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.modules["numpy"].random.seed()  # as unlike other processes as a new one
    while os.getppid() != order["parent"]:
        if os.getppid() == 1:
            os._exit(1)
        time.sleep(0.001)
    status = 1
    try:
        _run(order["arguments"])
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # as Python reports what ends it
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _open_streams() -> None:
    """Standard streams upon the descriptors there are now."""
    buffers = [io.FileIO(fd, mode, closefd=False) for fd, mode in enumerate(("r", "w", "w"))]
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(buffers[0]))
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.BufferedWriter(buffers[1]))
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(
        io.BufferedWriter(buffers[2]), errors="backslashreplace", line_buffering=True
    )


def _run(arguments: Sequence[str]) -> None:
    """What Python does with its command line."""
    if arguments[0] in SCRIPTS:
        sys.argv = [*arguments]
        sys.path.insert(0, str(Path(arguments[0]).parent))
        runpy.run_path(arguments[0], run_name="__main__")
        return
    if tuple(arguments[:3]) in LEAVES:
        _, _, name, *sys.argv[1:] = arguments
        if _shares_its_fit(name, sys.argv[1:]):
            _copy_from_here()
        if name == "dfbench.plugins.probe":  # it looks at which modules of dfbench are loaded
            for loaded in [known for known in sys.modules if known.startswith("dfbench")]:
                del sys.modules[loaded]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    _copy_from_here()
    option, what, *sys.argv[1:] = arguments
    if option == "-c":
        sys.argv[0] = "-c"
        sys.path.insert(0, "")
        exec(what, {"__name__": "__main__"})  # noqa: S102  # the command of a test
    else:
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as Python does
        runpy.run_module(what, run_name="__main__", alter_sys=True)


def _shares_its_fit(name: str, arguments: Sequence[str]) -> bool:
    """Whether it is a worker that starts others: the first of those that share a fit."""
    if name != "dfbench.worker" or arguments[0] != "fit":
        return False
    job = json.loads((Path(arguments[1]) / "job.json").read_bytes())
    return bool(job["devices"] > 1 and job["leader"] is None)


def _copy_from_here() -> None:
    """Start the processes that this one starts as copies of what it is now."""
    Popen.source = Source()
    Popen.source.fork()
    subprocess.Popen = Popen  # type: ignore[misc]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Two seconds that each copy is spared, and another where it trains: optimisers import Dynamo.
    import torch._dynamo  # noqa: F401

    import dfbench.cli.run
    import dfbench.cli.suite
    import dfbench.planning.plan
    import dfbench.runs.execute
    import dfbench.worker.fit
    import dfbench.worker.verbs  # noqa: F401

    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
