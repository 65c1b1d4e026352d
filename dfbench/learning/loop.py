"""The training loop of every long fit: progress, curves, checkpoints and resumption."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from dfbench.console import progress
from dfbench.files import atomic_path, write_json

CHECKPOINT_SECONDS = 30.0
"""Time between two checkpoints: what a killed run loses at most."""


_SUFFIX = ".checkpoint"


class Stateful(Protocol):
    """Anything a checkpoint can hold: modules, optimisers, schedules, queues, pools."""

    def state_dict(self) -> Mapping[str, Any]:
        """The state as tensors, numbers, strings and containers of these."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Take over a state that `state_dict` returned."""


class RandomState:
    """A `torch.Generator` as something a checkpoint can hold."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def state_dict(self) -> dict[str, Tensor]:
        """The generator's state."""
        return {"state": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        """Continue from a stored state."""
        self._generator.set_state(state["state"])


class TrainingLoop:
    """Counts steps, and makes an interrupted fit go on where its last checkpoint stands.

    Iterating yields the number of each step still to do, from 0. All that changes between steps
    (networks, optimisers, schedules, queues, pools, `RandomState(generator)`) belongs in `state`;
    then a resumed fit ends with the same numbers as an uninterrupted one.
    """

    def __init__(
        self, description: str, steps: int, state: Mapping[str, Stateful], folder: Path
    ) -> None:
        self.description = description
        self.steps = steps
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self._state = state
        self._checkpoint = folder / f"{description}{_SUFFIX}"
        self._curves_file = folder / f"{description}.curves.json"
        self._step = 0

    def __iter__(self) -> Iterator[int]:
        start = self._resume()
        saved = time.monotonic()
        with progress(self.description, self.steps) as advance:
            advance(start)
            for step in range(start, self.steps):
                self._step = step
                yield step
                advance(1)
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.save(step + 1)
                    saved = time.monotonic()
        self.save(self.steps)
        write_json(self._curves_file, _finite(self.curves))

    def log(self, every: int, values: Mapping[str, float]) -> None:
        """Add a point to the curves at every `every`-th step."""
        if self._step % every == 0 or self._step == self.steps - 1:
            for name, value in values.items():
                self.curves.setdefault(name, []).append((self._step, value))

    def save(self, next_step: int) -> None:
        """Write a checkpoint from which the loop goes on at `next_step`."""
        content = {
            "next_step": next_step,
            "curves": self.curves,
            "state": {name: item.state_dict() for name, item in self._state.items()},
        }
        with atomic_path(self._checkpoint) as temporary, temporary.open("wb") as file:
            try:
                torch.save(content, file)
            except RuntimeError as fault:
                # Closing its archive, torch hides the error of a full disk behind one of its own.
                if isinstance(fault.__context__, OSError):
                    raise fault.__context__ from fault
                raise

    def _resume(self) -> int:
        if not self._checkpoint.exists():
            return 0
        content = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        for name, item in self._state.items():
            item.load_state_dict(content["state"][name])
        self.curves.update(content["curves"])
        return int(content["next_step"])


def _finite(curves: Mapping[str, list[tuple[int, float]]]) -> dict[str, Any]:
    """Curves as JSON has them: null for what is not finite."""
    return {
        name: [(step, value if isfinite(value) else None) for step, value in points]
        for name, points in curves.items()
    }


def drop_checkpoints(folder: Path) -> None:
    """Forget the checkpoints in a folder of loops; their curves stay."""
    for file in folder.glob(f"*{_SUFFIX}"):
        file.unlink()
