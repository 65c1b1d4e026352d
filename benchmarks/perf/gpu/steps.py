"""The steps in order of importance, each with its share of the time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.perf.gpu.journal import Journal, Request

_KILLED = "time limit"


@dataclass(frozen=True)
class Step:
    """One part of the check: a module of this package with a function `measure`."""

    name: str
    share: float
    """Weight in the distribution of the time left when it starts."""

    @property
    def measure(self) -> Callable[[Request, Journal], None]:
        """The function that measures, imported when the step runs."""
        module = import_module(f"benchmarks.perf.gpu.{self.name}")
        measure: Callable[[Request, Journal], None] = module.measure
        return measure


STEPS = (
    Step("card", 2),
    Step("methods", 28),
    Step("kernels", 10),
    Step("ranking", 16),
    Step("training", 24),
    Step("repeatability", 10),
    Step("concurrency", 8),
    Step("pretrained", 10),
)


def step_named(name: str) -> Step:
    """The step with this name."""
    return next(step for step in STEPS if step.name == name)


def seconds_for(step: Step, left: float) -> float:
    """The step's share of the `left` seconds; time saved by earlier steps is redistributed."""
    weights = sum(later.share for later in STEPS[STEPS.index(step) :])
    return left * step.share / weights


def run_step(request: Request) -> str:
    """Run a step in a separate process; returns `done`, or why it stopped.

    At the time limit the step and all its child processes are killed.
    """
    command = [sys.executable, "-m", "benchmarks.perf.gpu", "--step", request.step]
    command += ["--device", request.device, "--scale", request.scale, "--out", str(request.out)]
    command += ["--seconds", str(request.seconds)]
    if request.data is not None:
        command += ["--data", str(request.data)]
    request.out.mkdir(parents=True, exist_ok=True)
    with (request.out / f"gpu-{request.step}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            status: int | str = process.wait(request.seconds)
        except subprocess.TimeoutExpired:
            status = _KILLED
        finally:
            _kill_group(process)
    if status == 0:
        return "done"
    ended = _KILLED if status == _KILLED else f"exit status {status}"
    return f"{ended}; log: {request.out / f'gpu-{request.step}.log'}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the step and its children, and wait for its end."""
    for _ in range(50):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            break
        process.wait()
        time.sleep(0.02)


def end_with_parent() -> None:
    """Make this process and its children end when its parent process ends.

    A step leads its own session, so it would otherwise continue.
    """
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os.killpg(0, signal.SIGKILL)

    if os.getpgrp() == os.getpid():
        threading.Thread(target=look, daemon=True).start()
