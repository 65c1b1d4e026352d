"""Training loops that die in their middle, as `kill -9` would have it, and are taken up again."""

from __future__ import annotations

from collections.abc import Mapping

from dfbench.learning.checkpoint import Checkpoints
from dfbench.learning.loop import Stateful, TrainingLoop


class Broken(BaseException):
    """A fit was broken off; no exception that a method may catch."""


class Breaker:
    """Makes loops; the first few of them are broken off once each, a step after a checkpoint."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.broken: list[str] = []
        """Descriptions of the loops that were broken off."""

    def make(
        self,
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        checkpoint_seconds: float,
    ) -> TrainingLoop:
        """A loop that takes the arguments of `TrainingLoop`."""
        del checkpoint_seconds
        if checkpoints.name in self.broken or len(self.broken) == self._left or steps < 2:
            return TrainingLoop(description, steps, state, checkpoints, float("inf"))
        return _BreakingLoop(description, steps, state, checkpoints, self)


class _BreakingLoop(TrainingLoop):
    """Keeps one checkpoint, in the middle, and dies a step later."""

    def __init__(
        self,
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        breaker: Breaker,
    ) -> None:
        super().__init__(description, steps, state, checkpoints, 0.0)
        self._name = checkpoints.name
        self._breaker = breaker

    def save(self, next_step: int) -> None:
        if next_step == self.steps // 2:
            super().save(next_step)
        elif next_step > self.steps // 2:
            self._breaker.broken.append(self._name)
            raise Broken(self.description)
