"""Supervision of a process until it ends: time limit, memory limit, and stop requests."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from dfbench.errors import MemoryExceeded, RunTimeout
from dfbench.request import Limits
from dfbench.system.files import writing
from dfbench.system.machine import check_platform

_GLANCE_SECONDS = 0.1
_MEASURE_SECONDS = 0.5
_GRACE_SECONDS = 10.0
_MIB = 2**20
_MIB_PER_GIB = 1024
_STDERR = 2
_MEMORY_KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
"""Settings of glibc: freed memory stays with the process. A training step frees gigabytes and takes
them again; to return them to the kernel in between costs a tenth of a fit's processor time."""


@dataclass(frozen=True)
class Ending:
    """How a process ended, if not by its limits."""

    status: int
    """Exit status; negative for the signal that killed it."""
    peak_memory_mib: float
    """Peak memory measured."""


@dataclass(frozen=True)
class Supervision:
    """Limits of a run's process, and a request to stop it; none of it affects the results."""

    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it, from any thread, to end the run as Ctrl-C would."""
    log: Path | None = None
    """File to which the process's output is appended; None for this terminal."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Additional environment variables of the process, e.g. its visible GPU."""

    @property
    def memory_mib(self) -> int | None:
        """Maximum resident memory of the process and its descendants together."""
        gib = self.limits.memory_limit
        return None if gib is None else round(gib * _MIB_PER_GIB)

    @property
    def of_reranking(self) -> Supervision:
        """The same with the time limit of a re-ranking in place of that of a fit."""
        seconds = self.limits.rerank_timeout
        return replace(self, limits=self.limits.model_copy(update={"timeout": seconds}))

    @property
    def untimed(self) -> Supervision:
        """The same without a limit of time."""
        return replace(self, limits=self.limits.model_copy(update={"timeout": None}))


def supervise(
    command: Sequence[str],
    supervision: Supervision,
    attend: Callable[[], None],
    inherit: tuple[int, ...] = (),
) -> Ending:
    """Run a command until it ends, calling `attend` repeatedly.

    The process leads a group of its own, and nothing of that group outlives this call. `inherit`
    are file descriptors that it keeps open. Raises `RunTimeout` or `MemoryExceeded` after killing
    it, and `KeyboardInterrupt` after asking it to end, by an interrupt of its own, when Ctrl-C
    comes or `supervision.stop` is set, and `DfbenchError` on Windows.
    """
    check_platform()
    with _sink(supervision.log) as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR if sink is None else sink,  # standard output is for results
            stderr=sink,
            env={**_MEMORY_KEPT, **os.environ, **supervision.environment},
            pass_fds=inherit,
            process_group=0,
        )
        try:
            return _watched(process, supervision, attend)
        except KeyboardInterrupt:
            _ask_to_end(process)
            raise
        finally:
            _kill_group(process)


def _watched(
    process: subprocess.Popen[bytes], supervision: Supervision, attend: Callable[[], None]
) -> Ending:
    meter = _Meter(process.pid)
    timeout, memory_mib = supervision.limits.timeout, supervision.memory_mib
    started = time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            return Ending(process.wait(_GLANCE_SECONDS), meter.peak_mib)
        attend()
        held = meter.read()
        if supervision.stop.is_set():
            raise KeyboardInterrupt
        if timeout is not None and time.monotonic() - started > timeout:
            raise RunTimeout(
                f"not done after {timeout:g} s, the time limit",
                "repeat the command to resume from its last checkpoint (longer limit: --timeout)",
                meter.peak_mib,
            )
        if memory_mib is not None and held > memory_mib:
            raise MemoryExceeded(
                f"its process used {held:.0f} MiB of memory, more than the {memory_mib} MiB "
                "allowed",
                "try smaller settings, or --memory-limit for more",
                meter.peak_mib,
            )


class _Meter:
    """Resident memory of a process and its descendants, sampled at intervals."""

    def __init__(self, pid: int) -> None:
        import psutil  # once a process is started: most commands start none

        self.peak_mib = 0.0
        self._process = psutil.Process(pid)
        self._last = 0.0
        self._next = 0.0

    def read(self) -> float:
        """MiB, at most half a second old."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _MEASURE_SECONDS
            self._last = self._measured()
            self.peak_mib = max(self.peak_mib, self._last)
        return self._last

    def _measured(self) -> float:
        import psutil

        total = 0
        # A process may end between being listed and being read.
        with suppress(psutil.Error):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total / _MIB


@contextmanager
def _sink(log: Path | None) -> Iterator[IO[bytes] | None]:
    if log is None:
        yield None
        return
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        sink = log.open("ab")
    with sink:
        yield sink


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        process.wait(_GRACE_SECONDS)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
