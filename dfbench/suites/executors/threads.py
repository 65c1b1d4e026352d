"""What executors have in common: a thread of this process for each task that is going on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from dfbench.runs.plan import Plan
from dfbench.runs.supervision import Supervision
from dfbench.suites.tasks import Task, TaskResult


class ThreadedExecutor(ABC):
    """Threads of this process, each waiting for the end of one task."""

    def __init__(self, plans: Mapping[str, Plan], slots: int, supervision: Supervision) -> None:
        """`plans` by `eval_id`; `slots`: how many tasks go on at a time."""
        self.slots = slots
        self._plans = plans
        self._supervision = supervision
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="task")

    def submit(self, task: Task) -> Future[TaskResult]:
        """Begin a task in a thread."""
        return self._pool.submit(self._done, task)

    def stop(self) -> None:
        """End all tasks."""
        self._supervision.stop.set()

    def close(self) -> None:
        """Wait until all tasks have ended."""
        self._pool.shutdown(cancel_futures=True)

    @abstractmethod
    def _done(self, task: Task) -> TaskResult:
        """Do a task; what goes wrong in it is its result."""
