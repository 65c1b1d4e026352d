"""A process that has imported the worker once, and starts copies of itself as its verbs.

`python -P preloaded_worker.py SOCKET`, a descriptor on which `preloaded.py` asks for workers.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

ORDER_BYTES = 2**17
_DESCRIPTORS = 16
_ABOVE = 200
"""Received descriptors are moved above this number, out of the way of those they become."""


def _worker(order: Mapping[str, Any], received: list[int]) -> None:
    """Become a worker: what `python -P -m dfbench.worker` finds at its start."""
    os.setpgid(0, 0)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, _ABOVE) for fd in received]
    os.closerange(3, _ABOVE)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for fd, number in zip(moved, order["descriptors"], strict=True):
        os.dup2(fd, number, inheritable=True)
    os.closerange(_ABOVE, _ABOVE + _DESCRIPTORS)
    os.chdir(order["place"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = order["arguments"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # as unlike other workers as a new process
    while os.getppid() != order["parent"]:
        if os.getppid() == 1:
            os._exit(1)
        time.sleep(0.001)
    runpy.run_module("dfbench.worker", run_name="__main__", alter_sys=True)


def _started(order: Mapping[str, Any], received: list[int]) -> int:
    """The number of a worker whose own parent has ended, so that the caller adopts it."""
    reading, writing = os.pipe()
    between = os.fork()
    if between:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            number = int(pipe.read())
        os.waitpid(between, 0)
        return number
    worker = os.fork()
    if worker:
        os.write(writing, str(worker).encode())
        os._exit(0)
    status = 1
    try:
        _worker(order, received)
    finally:
        os._exit(status)


def serve(connection: socket.socket) -> None:
    """Start workers until the other side is gone."""
    while True:
        content, received, *_ = socket.recv_fds(connection, ORDER_BYTES, _DESCRIPTORS)
        if not content:
            return
        number = _started(json.loads(content), received)
        for fd in received:
            os.close(fd)
        connection.send(str(number).encode())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch  # noqa: F401  # the two seconds that each worker is spared

    import dfbench.learning.loop
    import dfbench.planning.session
    import dfbench.provision
    import dfbench.worker.describing
    import dfbench.worker.fit
    import dfbench.worker.verbs  # noqa: F401

    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
