"""Tasks on this machine: a process per run, one per GPU, or several on the CPU."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue

from dfbench.planning.plan import Plan
from dfbench.process.messages import LOG_FILE
from dfbench.process.supervision import Supervision
from dfbench.records.state import RunState, failure, held
from dfbench.runs.execute import Attempt, attempt
from dfbench.runs.ingredients import ensure_networks
from dfbench.suites.executors.task import Task, TaskResult


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

    def stop(self) -> None:
        """End all tasks."""
        self._supervision.stop.set()

    def close(self) -> None:
        """Wait until all tasks have ended."""
        self._pool.shutdown(cancel_futures=True)

    @abstractmethod
    def _done(self, task: Task) -> TaskResult:
        """Execute a task; an error in it is returned as its result."""


Environment = Mapping[str, str]


def gpu_slots(count: int, each: int = 1) -> list[Environment]:
    """Environments that see `each` of the GPUs of this process, and no GPU in common."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(count)]
    names = [name.strip() for name in names[:count]]
    starts = range(0, len(names) - each + 1, each)
    return [{"CUDA_VISIBLE_DEVICES": ",".join(names[s : s + each])} for s in starts]


class LocalExecutor(ThreadedExecutor):
    """Threads of this process, each watching the process of one task."""

    def __init__(
        self,
        plans: Mapping[str, Plan],
        slots: Sequence[Environment],
        supervision: Supervision,
        *,
        logged: bool,
    ) -> None:
        """With `logged`, the output of processes goes to the log of their run, not the terminal."""
        super().__init__(plans, len(slots), supervision)
        self._logged = logged
        self._free: SimpleQueue[Environment] = SimpleQueue()
        for slot in slots:
            self._free.put(slot)

    def busy(self, task: Task) -> bool:
        """Whether another process holds the lock of this run."""
        return task.network is None and held(self._plans[task.eval_id].folder)

    def _done(self, task: Task) -> TaskResult:
        plan = self._plans[task.eval_id]
        log = plan.folder / LOG_FILE if self._logged else None
        with self._slot() as environment:
            supervision = replace(self._supervision, log=log, environment=environment)
            if task.network is not None:
                return _trained(plan, task.network, supervision)
            return run_result(attempt(plan, pairs=task.pairs, supervision=supervision))

    @contextmanager
    def _slot(self) -> Iterator[Environment]:
        environment = self._free.get()
        try:
            yield environment
        finally:
            self._free.put(environment)


def run_result(attempted: Attempt) -> TaskResult:
    """The result of a run in this process."""
    run = attempted.run
    return TaskResult(
        state=attempted.state,
        record=run.record if run else None,
        files=(run.path,) if run else (),
    )


def _trained(plan: Plan, name: str, supervision: Supervision) -> TaskResult:
    try:
        ensure_networks(plan, supervision, [name])
    except Exception as fault:  # noqa: BLE001  # any error becomes the task's result
        return TaskResult(state=failure(fault))
    file = plan.session.network_file(plan.networks[name])
    return TaskResult(state=RunState(status="done"), files=(file,))
