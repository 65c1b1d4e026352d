"""Decoding in several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait

from dfbench import console
from dfbench.datasets.chunk import ChunkTask, make_chunk
from dfbench.errors import DfbenchError

_WORTH_A_PROCESS = 2
"""Chunks that take longer than a process takes to start."""


def prepare_chunks(tasks: Sequence[ChunkTask], processes: int) -> None:
    """Make the chunks, `processes` at a time, with a progress bar; those made stay if one fails.

    Raises what `make_chunk` raises, and `DfbenchError` if a process dies.
    """
    total = sum(len(task.files) for task in tasks)
    with console.progress("preparing images", total) as advance:
        for count in _made(tasks, min(processes, len(tasks) // _WORTH_A_PROCESS)):
            advance(count)


def _made(tasks: Sequence[ChunkTask], processes: int) -> Iterator[int]:
    if processes < 2:
        yield from map(make_chunk, tasks)
        return
    try:
        with _pool(processes) as pool:
            for done in as_completed([pool.submit(make_chunk, task) for task in tasks]):
                yield done.result()
    except BrokenProcessPool as fault:
        raise DfbenchError(
            "a process that decodes images died, perhaps for want of memory: repeat the same "
            "command, which goes on where this one ended (fewer at once: dfbench data prepare "
            "--processes 1)"
        ) from fault


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned, because a fork of a process with threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that started this one, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
