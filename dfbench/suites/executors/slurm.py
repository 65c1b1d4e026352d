"""Tasks as jobs of a Slurm cluster, whose nodes share the folders of this machine."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.numerics import pin_numerics
from dfbench.planning.plan import Plan, Refusal, plan_requests
from dfbench.process.supervision import Supervision
from dfbench.records.state import RunState, failure, held, leave_failure, read_state
from dfbench.request import Limits
from dfbench.suites.executors.jobs import SlurmChoice, job_executor
from dfbench.suites.executors.local import execute_here, refused_here
from dfbench.suites.executors.task import RemoteExecutor, Resources, Task, TaskResult, check_version
from dfbench.system.files import writing
from dfbench.version import __version__

if TYPE_CHECKING:
    import submitit

_GLANCE_SECONDS = 0.5
_GRACE_SECONDS = 45.0
_UNHEARD = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that Slurm sends to all processes of a job before it is preempted or out of time: its
main process has it requeued."""
_REASON_LENGTH = 300


class JobLost(DfbenchError):
    """A job that ended without the result of its task."""


class SlurmExecutor(RemoteExecutor):
    """Threads of this process, each waiting for one job."""

    def __init__(
        self,
        plans: Mapping[str, Plan],
        slots: int,
        choice: SlurmChoice,
        supervision: Supervision,
    ) -> None:
        """`choice` holds the parameters of all jobs; limits of time and memory add to them."""
        super().__init__(plans, slots, supervision)
        self._choice = choice
        self._submitit = threading.Lock()
        """Held in calls of submitit, which shares the states of jobs between threads."""

    def takes(self, task: Task) -> Resources:
        """The parameters of its job."""
        return self._choice.resources(self._plans[task.eval_id], self._supervision.limits)

    def _executed(self, task: Task, plan: Plan) -> TaskResult:
        try:
            result = self._result(task, plan)
        except (DfbenchError, KeyboardInterrupt) as fault:
            result = TaskResult(state=failure(fault))
        if task.network is None and not result.done:
            _keep_failure(plan, result.state)
        return result

    def _result(self, task: Task, plan: Plan) -> TaskResult:
        stop = self._supervision.stop
        job = self._submitted(task, plan)
        while not self._ended(job):
            if stop.wait(_GLANCE_SECONDS):
                with self._submitit:
                    job.cancel(check=False)
                _until_free(plan.folder)
                break
        if stop.is_set() and not job.paths.result_pickle.exists():
            shutil.rmtree(job.paths.folder, ignore_errors=True)
            raise KeyboardInterrupt
        result = TaskResult.model_validate_json(_answer(job))
        if result.state.interrupted and not stop.is_set():
            raise JobLost(f"job {job.job_id} was interrupted (log: {job.paths.stderr})")
        shutil.rmtree(job.paths.folder, ignore_errors=True)  # the log of the run is in its folder
        return result

    def _submitted(self, task: Task, plan: Plan) -> submitit.Job[str]:
        from submitit.core.utils import FailedJobError

        limits = self._supervision.limits
        order = Order(version=__version__, task=_portable(task, plan), limits=limits)
        folders = plan.session.request.places.cache / "slurm"
        with writing(folders):
            folders.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{task.eval_id[:8]}-", dir=folders))
        with self._submitit:
            executor = job_executor(folder, f"dfbench {task.title}", self.takes(task))
            try:
                return executor.submit(TaskJob(order.model_dump_json()))
            except FailedJobError as fault:
                raise JobLost(f"sbatch refused the job: {_line(str(fault))}") from fault

    def _ended(self, job: submitit.Job[str]) -> bool:
        with self._submitit:
            return bool(job.done())


def _portable(task: Task, plan: Plan) -> Task:
    """The task, free of what another node would choose: device and threads."""
    session = plan.session
    chosen = {"device": session.device, "threads": session.threads}
    return task.model_copy(update={"request": task.request.model_copy(update=chosen)})


def _answer(job: submitit.Job[str]) -> str:
    """The result of a job that has ended. Raises `JobLost` if it has none."""
    fault = job.exception()
    if fault is None:
        return str(job.result())
    named, log = f"job {job.job_id}", f"log: {job.paths.stderr}"
    if not job.paths.result_pickle.exists():
        raise JobLost(f"{named} ended without a result (state: {job.state}; {log})")
    *_, last = (job.stderr() or str(fault)).strip().splitlines()
    raise JobLost(f"{named} could not start its task: {_line(last)} ({log})")


def _line(text: str) -> str:
    return " ".join(text.split())[:_REASON_LENGTH]


def _until_free(folder: Path) -> None:
    """Wait for the processes of a job that still end in the folder of a run."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while held(folder) and time.monotonic() < deadline:
        time.sleep(_GLANCE_SECONDS)


def _keep_failure(plan: Plan, state: RunState) -> None:
    """Store how a run ended, unless its job did."""
    _until_free(plan.folder)
    stored = read_state(plan.folder)
    if stored is None or (stored.status, stored.reason) != (state.status, state.reason):
        leave_failure(plan.folder, state, plan.subject)


class Order(BaseModel):
    """A task as a job receives it."""

    model_config = ConfigDict(frozen=True)

    version: str
    """Version of dfbench where the suite was started."""
    task: Task
    limits: Limits

    def planned(self) -> Plan:
        """The plan of the task, made again on this node.

        Raises `InvalidInput` if the run would differ here, `DfbenchError` if it is not possible.
        """
        check_version(self.version)
        planned = plan_requests([self.task.request]).plans[0]
        if isinstance(planned, Refusal):
            raise planned.fault
        plan = planned[-1]
        if plan.eval_id != self.task.eval_id:
            raise InvalidInput(
                f"the run of {self.task.title} differs from the one that was planned; datasets, "
                "plugins and weights must be the same files under the same paths on every node"
            )
        return plan


class TaskJob:
    """A task as submitit calls it in a job; a job that is requeued calls it again.

    The run then resumes from its last checkpoint.
    """

    def __init__(self, order: str) -> None:
        """`order` is an `Order` as JSON."""
        self.order = order

    def __call__(self) -> str:
        """Execute the task; its `TaskResult` as JSON."""
        return _executed_here(Order.model_validate_json(self.order)).model_dump_json()

    def checkpoint(self) -> Any:
        """What submitit submits when a job is preempted or out of time: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _executed_here(order: Order) -> TaskResult:
    from submitit.core.utils import UncompletedJobError

    try:
        plan = order.planned()
        pin_numerics(plan.session.threads, seed=0)
        return execute_here(order.task, plan, Supervision(order.limits), unheard=_UNHEARD)
    except UncompletedJobError as end:  # raised by submitit's handler of the signal
        reason = f"{_line(str(end))} Its checkpoints are kept; more time: --slurm time=MINUTES"
        return TaskResult(state=RunState(status="timeout", reason=reason))
    except Exception as fault:  # noqa: BLE001  # any error becomes the task's result
        return refused_here(fault)
