"""Tasks as plain data that can be sent to another machine, and the interface of an executor."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from dfbench.records.record import Record
from dfbench.records.state import RunState
from dfbench.request import RunRequest


class Task(BaseModel):
    """A run to be done, or with `network` one of the networks that it needs to be trained.

    Whoever has only the task plans its request anew and compares the identity.
    """

    model_config = ConfigDict(frozen=True)

    request: RunRequest
    label: str
    """The row, as people know it."""
    dataset: str
    """The dataset's name in records."""
    fit_id: str
    eval_id: str
    pairs: bool = False
    """Whether another run needs its generated pairs: if they are gone, its record is not enough."""
    network: str | None = None
    """Name of a network in `Plan.networks`."""

    @property
    def key(self) -> tuple[str, str | None]:
        """What no two tasks of a suite have in common."""
        return self.eval_id, self.network

    @property
    def title(self) -> str:
        """One line for people."""
        what = self.label if self.network is None else self.network
        return f"{what} on {self.dataset}, seed {self.request.seed}"


class TaskResult(BaseModel):
    """What became of a task."""

    model_config = ConfigDict(frozen=True)

    state: RunState
    record: Record | None = None
    """Of a run that is done."""
    files: tuple[Path, ...] = ()
    """Files that belong to it: the record's, or the network's."""

    @property
    def done(self) -> bool:
        """Whether others can build on it."""
        return self.state.status == "done"


class Executor(Protocol):
    """Does tasks, in whatever order they come, several at a time."""

    @property
    def slots(self) -> int:
        """How many tasks it takes at a time."""

    def submit(self, task: Task) -> Future[TaskResult]:
        """Begin a task; what goes wrong in it is a result, not an exception of the future."""

    def busy(self, task: Task) -> bool:
        """Whether somebody else is at this task, so that another one had better come first."""

    def stop(self) -> None:
        """End the tasks that are going on, as Ctrl-C would; their checkpoints stay."""

    def close(self) -> None:
        """Wait for the tasks that are going on, and free what they were done with."""
