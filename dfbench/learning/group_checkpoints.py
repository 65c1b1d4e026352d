"""Checkpoints of a fit that several processes do: the leader writes them, all go on from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dfbench.errors import DfbenchError
from dfbench.learning.checkpoint import Checkpoints
from dfbench.learning.group import ProcessGroup
from dfbench.learning.loop import Stateful, TrainingLoop


@dataclass(frozen=True)
class GroupCheckpoints(Checkpoints):
    """The checkpoints of one loop, in a folder that all processes of a group read."""

    group: ProcessGroup

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Store a state, if this process leads."""
        if self.group.leads:
            super().save(step, state)

    def save_curves(self, curves: Mapping[str, Any]) -> None:
        """Write the curves, if this process leads."""
        if self.group.leads:
            super().save_curves(curves)

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """The same step and state for all. Raises `DfbenchError` if they find different ones."""
        found = super().load() if self.group.leads else None
        self.group.wait()  # the leader has removed what is not good
        if not self.group.leads:
            found = super().load()
        step = -1 if found is None else found[0]
        if self.group.total(step) != self.group.size * step:  # nor has any gone on by then
            raise DfbenchError(
                f"the processes of this fit found different checkpoints in {self.folder}; remove "
                "the folder, or repeat the command with --force"
            )
        return found


def loops_of(group: ProcessGroup) -> Callable[..., TrainingLoop]:
    """What makes the loops of a group, from the arguments of `TrainingLoop`."""

    def make(
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        checkpoint_seconds: float,
    ) -> TrainingLoop:
        shared = GroupCheckpoints(checkpoints.folder, checkpoints.name, checkpoints.origin, group)
        return TrainingLoop(description, steps, state, shared, checkpoint_seconds)

    return make
