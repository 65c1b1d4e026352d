"""Executors whose tasks are each executed, or waited for, by a thread of this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from dfbench.planning.plan import Plan
from dfbench.process.supervision import Supervision
from dfbench.records.state import failure, held
from dfbench.suites.executors.task import Resources, Task, TaskResult


class ThreadedExecutor(ABC):
    """Threads of this process, each waiting for the end of one task."""

    def __init__(self, plans: Mapping[str, Plan], slots: int, supervision: Supervision) -> None:
        """`plans` by `eval_id`; `slots` is the number of concurrent tasks."""
        self.slots = slots
        self._plans = plans
        self._supervision = supervision
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="task")

    def submit(self, task: Task) -> Future[TaskResult]:
        """Start a task in a thread."""
        return self._pool.submit(self._done, task)

    def busy(self, task: Task) -> bool:
        """Whether another process holds the lock of this run."""
        return task.network is None and held(self._plans[task.eval_id].folder)

    def stop(self) -> None:
        """End all tasks."""
        self._supervision.stop.set()

    def close(self) -> None:
        """Wait until all tasks have ended."""
        self._pool.shutdown(cancel_futures=True)

    @abstractmethod
    def takes(self, task: Task) -> Resources:
        """The resources of a task."""

    @abstractmethod
    def _done(self, task: Task) -> TaskResult:
        """Execute a task; an error in it is returned as its result."""


class RemoteExecutor(ThreadedExecutor):
    """Threads of this process, each waiting for one task that a cluster executes."""

    def _done(self, task: Task) -> TaskResult:
        try:
            result = self._executed(task, self._plans[task.eval_id])
        except Exception as fault:  # noqa: BLE001  # any error becomes the task's result
            return TaskResult(state=failure(fault))
        if result.state.interrupted:
            raise KeyboardInterrupt
        return result

    @abstractmethod
    def _executed(self, task: Task, plan: Plan) -> TaskResult:
        """Have a task executed, and wait for its end; any error may be raised."""
