"""What the schedule asks of an executor."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from dfbench.suites.tasks import Task, TaskResult


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
