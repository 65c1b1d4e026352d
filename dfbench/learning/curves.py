"""Quantities logged by a loop, read from the device now and then, never inside a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import torch
from torch import Tensor

from dfbench.errors import Diverged

Value = float | Tensor
"""A number, or a tensor with one element."""


class Curves:
    """Points `(step, value)` of named curves; values on a device stay there until `read`."""

    def __init__(self) -> None:
        self._points: dict[str, list[tuple[int, float]]] = {}
        self._unread: list[tuple[str, int, Value]] = []
        self._new: list[tuple[str, int, float]] = []

    def add(self, step: int, values: Mapping[str, Value]) -> None:
        """Add a point to the curve of each name."""
        self._unread += _kept(step, values)

    def read(self) -> dict[str, list[tuple[int, float]]]:
        """All points so far; waits for the device if some are unread."""
        values = read_numbers([value for *_, value in self._unread])
        for (name, step, _), value in zip(self._unread, values, strict=True):
            self._points.setdefault(name, []).append((step, value))
            self._new.append((name, step, value))
        self._unread.clear()
        return self._points

    def read_new(self) -> list[tuple[str, int, float]]:
        """Name, step and value of each point since the last call; waits for the device."""
        self.read()
        new, self._new = self._new, []
        return new

    def extend(self, points: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        """Continue from points returned by `read`."""
        self._points.update({name: list(some) for name, some in points.items()})


class FiniteLosses:
    """Losses that must stay finite; the first one that is not is reported when it is read."""

    def __init__(self, description: str, steps: int) -> None:
        self._description = description
        self._steps = steps
        self._unread: list[tuple[str, int, Value]] = []

    def add(self, step: int, losses: Mapping[str, Value]) -> None:
        """Keep the losses of a step until `check`."""
        self._unread += _kept(step, losses)

    def check(self) -> None:
        """Raise `Diverged` if an added loss is not finite; waits for the device."""
        values = read_numbers([loss for *_, loss in self._unread])
        for (name, step, _), value in zip(self._unread, values, strict=True):
            if not isfinite(value):
                raise Diverged(
                    f"loss {name!r} of loop {self._description!r} is {value} at step {step} of "
                    f"{self._steps}; allowed: finite losses; smaller steps may keep them finite, "
                    "e.g. --set budget.learning_rate=0.0003 (dfbench describe lists a method's "
                    "settings)"
                )
        self._unread.clear()


def read_numbers(values: Sequence[Value]) -> list[float]:
    """Values as numbers, in order; waits for each device once."""
    numbers = [0.0 if isinstance(value, Tensor) else value for value in values]
    tensors = {i: value for i, value in enumerate(values) if isinstance(value, Tensor)}
    for device in {tensor.device for tensor in tensors.values()}:
        there = {i: tensor for i, tensor in tensors.items() if tensor.device == device}
        together = torch.stack([tensor.reshape(()).double() for tensor in there.values()])
        for i, number in zip(there, together.tolist(), strict=True):
            numbers[i] = number
    return numbers


def _kept(step: int, values: Mapping[str, Value]) -> list[tuple[str, int, Value]]:
    """Values detached from their computation graphs."""
    return [
        (name, step, value.detach() if isinstance(value, Tensor) else value)
        for name, value in values.items()
    ]
