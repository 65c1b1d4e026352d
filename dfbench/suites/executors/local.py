"""Tasks on this machine: a process per run, one per GPU, or several on the CPU."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue

from dfbench.planning.plan import Plan
from dfbench.process.folder import LOG_FILE
from dfbench.process.supervision import Supervision
from dfbench.records.state import RunState, failure
from dfbench.records.store import ResultStore
from dfbench.reporting.event_log import event_log
from dfbench.runs.execute import Attempt, attempt
from dfbench.runs.ingredients import ensure_networks
from dfbench.suites.executors.task import (
    Resources,
    Task,
    TaskResult,
    ThreadedExecutor,
    own_resources,
)

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

    def takes(self, task: Task) -> Resources:
        """The threads of a run, and its GPUs."""
        return own_resources(self._plans[task.eval_id])

    def _done(self, task: Task) -> TaskResult:
        plan = self._plans[task.eval_id]
        log = plan.folder / LOG_FILE if self._logged else None
        with self._slot() as environment:
            supervision = replace(self._supervision, log=log, environment=environment)
            if task.network is not None:
                return _trained(plan, task.network, supervision)
            with event_log(plan.session.request.places.log_dir, plan.folder):
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


def execute_here(
    task: Task, plan: Plan, supervision: Supervision, *, unheard: Collection[int] = ()
) -> TaskResult:
    """Execute one task in this process, as a job of a cluster does; its output goes to its log.

    An interrupt ends the task: its result says so. Any other exception that a signal raises in this
    thread also ends the task, and is raised again. Processes of the task do not receive the signals
    in `unheard`, which a cluster sends to all processes of a job.
    """
    executor = LocalExecutor({task.eval_id: plan}, [{}], supervision, logged=True)
    # The thread that the executor starts inherits the mask, and so do the processes it starts.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, unheard)
    try:
        future = executor.submit(task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        return future.result()
    except BaseException as end:
        executor.stop()
        wait([future])
        if isinstance(end, KeyboardInterrupt):
            found = ResultStore(plan.session.request.places.results).find(plan.eval_id)
            return TaskResult(state=failure(end), record=found[1] if found else None)
        raise
    finally:
        executor.close()


def refused_here(fault: Exception) -> TaskResult:
    """The result of a task that this node cannot execute."""
    state = failure(fault)
    where = f"on node {platform.node()!r}: {state.reason}"
    return TaskResult(state=state.model_copy(update={"reason": where}))
