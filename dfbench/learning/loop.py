"""The training loop of all long fits: steps, progress, curves, checkpoints and resumption."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dfbench.learning.checkpoint import Checkpoints
from dfbench.learning.curves import Curves, FiniteLosses, Value
from dfbench.system.console import progress


def descend(optimiser: torch.optim.Optimizer, *losses: Tensor) -> None:
    """Take one optimiser step on the sum of `losses` (scalars).

    Without losses nothing is updated.
    """
    if not losses:
        return
    optimiser.zero_grad(set_to_none=True)
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
    optimiser.step()


def fused(parameters: Iterable[nn.Parameter]) -> bool | None:
    """The argument `fused` of torch's optimisers: True if one kernel can update all parameters.

    That is the case on CUDA. Elsewhere None, torch's default.
    """
    on_cuda = {parameter.device.type for parameter in parameters} == {"cuda"}
    return True if on_cuda else None


class GlobalRandomState:
    """The global random generators of torch, NumPy and Python."""

    def state_dict(self) -> dict[str, Any]:
        """Their states; those of torch on the CPU and on the GPU in use."""
        kind, keys, *rest = np.random.get_state(legacy=True)
        on_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch's stub
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if on_gpu else None,
            "numpy": (kind, torch.from_numpy(np.array(keys, np.int64)), *rest),
            "python": random.getstate(),
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Continue from stored states."""
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])
        kind, keys, *rest = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
        random.setstate(state["python"])


CHECKPOINT_SECONDS = 30.0
"""Time between two checkpoints: the most that an interrupted run loses."""
_LOOK_SECONDS = 0.25
_LIVE_SECONDS = 1.0
"""Time between two additions to the file of curves that can be followed."""
_SHOW_SECONDS = 60.0
_FORMAT = 2
"""Incremented when the names in checkpoint states change."""
_UNSAFE = re.compile(r"[^A-Za-z0-9. -]+")


class Stateful(Protocol):
    """An object with a checkpoint state: modules, optimisers, schedules, queues, pools."""

    def state_dict(self) -> Mapping[str, Any]:
        """The state as tensors, numbers, strings and containers of these."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Restore a state returned by `state_dict`."""


class RandomState:
    """A `torch.Generator` with a checkpoint state."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def state_dict(self) -> dict[str, Tensor]:
        """The generator's state."""
        return {"state": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        """Continue from a stored state."""
        self._generator.set_state(state["state"])


class TrainingLoop:
    """Counts steps and resumes an interrupted fit from its last checkpoint.

    Iteration yields the number of each remaining step, from 0. Everything that changes between
    steps (networks, optimisers, schedules, queues, pools, `RandomState(generator)`) must be in
    `state`; a resumed fit then ends with the same numbers as an uninterrupted one. The global
    generators of torch, NumPy and Python are always included.
    """

    def __init__(
        self,
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        checkpoint_seconds: float,
    ) -> None:
        self.description = description
        self.steps = steps
        self._curves = Curves()
        self._losses = FiniteLosses(description, steps)
        self._state = state
        self._random = GlobalRandomState()
        self._checkpoints = checkpoints
        self._seconds = checkpoint_seconds
        self._step = 0
        self._shows: list[Callable[[], None]] = []

    def __iter__(self) -> Iterator[int]:
        start = self._resume()
        resumed = _by_step((n, *point) for n, some in self._curves.read().items() for point in some)
        self._checkpoints.begin_live(self.description, self.steps, resumed)
        saved = looked = told = shown = time.monotonic()
        with progress(self.description, self.steps) as advance:
            advance(start)
            for step in range(start, self.steps):
                self._step = step
                yield step
                advance(1)
                now = time.monotonic()
                if now - looked >= _LOOK_SECONDS:
                    self._losses.check()
                    looked = now
                if now - told >= _LIVE_SECONDS:
                    self._checkpoints.add_live(_by_step(self._curves.read_new()))
                    told = now
                if now - shown >= _SHOW_SECONDS:
                    for draw in self._shows:
                        draw()
                    shown = time.monotonic()
                if step + 1 < self.steps and now - saved >= self._seconds:
                    self.save(step + 1)
                    saved = time.monotonic()
        if start < self.steps:
            self.save(self.steps)
        self._checkpoints.add_live(_by_step(self._curves.read_new()))
        self._checkpoints.save_curves(_finite(self._curves.read()))

    def log(
        self, every: int, values: Mapping[str, Value] | Callable[[], Mapping[str, Value]]
    ) -> None:
        """Add a point to the curves at every `every`-th step.

        Values are numbers or, preferably, tensors with one element, which are read from the device
        later, so that no step waits for them. A function is called only when its values are due.
        """
        if self._step % every == 0 or self._step == self.steps - 1:
            self._curves.add(self._step, values() if callable(values) else values)

    def show(self, draw: Callable[[], None]) -> None:
        """Call `draw` between steps, about once a minute, to save pictures of the training so far.

        It must not change anything that steps use, random generators included.
        """
        self._shows.append(draw)

    def watch(self, losses: Mapping[str, Value]) -> None:
        """Stop the loop with `Diverged` soon after one of these losses is not finite.

        Losses are checked a few times per second, and before every checkpoint.
        """
        self._losses.add(self._step, losses)

    def save(self, next_step: int) -> None:
        """Write a checkpoint that resumes at `next_step`. Raises `Diverged`."""
        self._losses.check()
        content = {
            "curves": self._curves.read(),
            "random": self._random.state_dict(),
            "loop": {name: item.state_dict() for name, item in self._state.items()},
        }
        self._checkpoints.save(next_step, content)

    def _resume(self) -> int:
        found = self._checkpoints.load()
        if found is None:
            return 0
        next_step, content = found
        for name, item in self._state.items():
            item.load_state_dict(content["loop"][name])
        self._random.load_state_dict(content["random"])
        self._curves.extend(content["curves"])
        return next_step


class Loops:
    """Makes the loops of one fit, each with its own files in `folder`.

    `origin` identifies the fit: checkpoints of another origin are not used. `make` takes the
    arguments of `TrainingLoop`.
    """

    def __init__(
        self,
        folder: Path,
        origin: Mapping[str, Any] | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        make: Callable[..., TrainingLoop] = TrainingLoop,
    ) -> None:
        self._folder = folder
        self._make = make
        self._origin = origin or {}
        self._seconds = checkpoint_seconds
        self._names: set[str] = set()

    def new(self, description: str, steps: int, state: Mapping[str, Stateful]) -> TrainingLoop:
        """A loop; loops with the same description are distinguished by their order."""
        parts: dict[str, Any] = {"loop": description, "steps": steps, "state": sorted(state)}
        origin = {**self._origin, "format": _FORMAT, **parts}
        checkpoints = Checkpoints(self._folder, self._unused(description), origin)
        return self._make(description, steps, state, checkpoints, self._seconds)

    def _unused(self, description: str) -> str:
        stem = _UNSAFE.sub("-", description).strip(" .-") or "loop"
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name)
        return name


def _finite(curves: Mapping[str, list[tuple[int, float]]]) -> dict[str, Any]:
    """Curves for JSON: null for non-finite values."""
    return {
        name: [(step, value if isfinite(value) else None) for step, value in points]
        for name, points in curves.items()
    }


def _by_step(points: Iterable[tuple[str, int, float]]) -> list[dict[str, Any]]:
    """Name, step and value of each point, as one object per step for JSON, ascending."""
    found: dict[int, dict[str, float | None]] = {}
    for name, step, value in points:
        found.setdefault(step, {})[name] = value if isfinite(value) else None
    return [{"step": step, "values": found[step]} for step in sorted(found)]
