"""Tasks as plain data that can be sent to another machine, and the interface of an executor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from dfbench.errors import InvalidInput
from dfbench.planning.plan import Plan
from dfbench.process.supervision import Supervision
from dfbench.records.record import Record
from dfbench.records.state import RunState, failure, held, run_title
from dfbench.request import RunRequest
from dfbench.version import __version__


class Task(BaseModel):
    """A run to execute, or with `network`, one of its networks to train.

    A process that has only the task plans its request again and compares the identity.
    """

    model_config = ConfigDict(frozen=True)

    request: RunRequest
    label: str
    """Label of the method."""
    dataset: str
    """Name of the dataset in records."""
    fit_id: str
    eval_id: str
    pairs: bool = False
    """Whether another run needs its generated pairs: if they are gone, it is repeated."""
    network: str | None = None
    """Name of a network in `Plan.networks`."""

    @property
    def key(self) -> tuple[str, str | None]:
        """A key that is unique among the tasks of a suite."""
        return self.eval_id, self.network

    @property
    def title(self) -> str:
        """One line for messages."""
        what = self.request.configured_method if self.network is None else self.network
        return run_title(what, self.dataset, self.request.scenario, self.request.seed)


def check_version(version: str) -> None:
    """Raise `InvalidInput` unless a task was planned by this version of dfbench."""
    if version != __version__:
        raise InvalidInput(
            f"dfbench {__version__}, but {version} where the suite was started; "
            "install the same version on every node"
        )


class TaskResult(BaseModel):
    """The result of a task."""

    model_config = ConfigDict(frozen=True)

    state: RunState
    record: Record | None = None
    """The record of a run that is done, also if a re-ranking of it failed."""
    files: tuple[Path, ...] = ()
    """Its output files: the record's, or the network's."""

    @property
    def done(self) -> bool:
        """Whether all of it succeeded."""
        return self.state.status == "done"


Resources = Mapping[str, int | float | str]
"""The resources that a task takes, by name."""


def own_resources(plan: Plan) -> Resources:
    """The threads of a plan, and on `cuda` as many GPUs as share its fit."""
    session = plan.session
    gpus = session.request.devices if session.device == "cuda" else 0
    return {"cpus": session.threads, "gpus": gpus}


class Executor(Protocol):
    """Executes tasks in any order, several at a time."""

    @property
    def slots(self) -> int:
        """Number of concurrent tasks."""

    def submit(self, task: Task) -> Future[TaskResult]:
        """Start a task; an error in it is a result, not an exception of the future."""

    def busy(self, task: Task) -> bool:
        """Whether another process works on this task, so that others should be started first."""

    def takes(self, task: Task) -> Resources:
        """The resources that a task takes; nothing is started."""

    def stop(self) -> None:
        """End the running tasks, as Ctrl-C would; their checkpoints are kept."""

    def close(self) -> None:
        """Wait for the running tasks, and release resources."""


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
