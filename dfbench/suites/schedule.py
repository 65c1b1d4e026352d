"""Scheduling the tasks of a suite in dependency order, to keep every slot of an executor busy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Protocol

from dfbench.planning.plan import Plan
from dfbench.records.state import RunState, leave_failure
from dfbench.request import RunRequest
from dfbench.suites.executors.task import Executor, Task, TaskResult
from dfbench.suites.planning import SuiteItem, missing_networks, request_of


@dataclass(frozen=True)
class TaskGraph:
    """Tasks by identity, in the order of the suite, each with its predecessors."""

    tasks: dict[str, Task] = field(default_factory=dict)
    before: dict[str, set[str]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    """By `eval_id`, for executors of this process."""


def task_graph(items: Iterable[SuiteItem]) -> TaskGraph:
    """The tasks of the items, with the networks and the runs for generated pairs they need."""
    graph = TaskGraph()
    for item in items:
        if item.run.plan is not None:
            _add_run(graph, item.run.plan, item.run.request, fitted=item.fitted)
    for key, plan in graph.plans.items():
        if plan.source is not None and plan.source.eval_id in graph.tasks:
            graph.before[key].add(plan.source.eval_id)
    return graph


def _add_run(
    graph: TaskGraph,
    plan: Plan,
    request: RunRequest,
    *,
    pairs: bool = False,
    fitted: bool = False,
) -> None:
    if plan.eval_id in graph.tasks:
        return
    if plan.source is not None and not fitted and not plan.source.pairs_file.is_file():
        _add_run(graph, plan.source, request_of(plan.source, request), pairs=True)
    task = Task(
        request=request,
        label=plan.method.label,
        dataset=plan.session.dataset.name,
        fit_id=plan.fit_id,
        eval_id=plan.eval_id,
        pairs=pairs,
    )
    networks = {} if fitted else missing_networks(plan)
    for name, identity in networks.items():
        graph.tasks.setdefault(identity, task.model_copy(update={"network": name}))
        graph.before.setdefault(identity, set())
    graph.plans[plan.eval_id] = plan
    graph.tasks[plan.eval_id] = task
    graph.before[plan.eval_id] = set(networks.values())


_MINUTE = 60.0


class Observer(Protocol):
    """Receives the progress of a suite."""

    def begun(self, task: Task) -> None:
        """A task was handed to the executor."""

    def still(self, tasks: Sequence[Task]) -> None:
        """No task ended within a minute; these are running."""

    def ended(self, task: Task, result: TaskResult) -> None:
        """A task succeeded, failed, or is left out because a predecessor failed."""


def drive(
    graph: TaskGraph,
    executor: Executor,
    observer: Observer,
    *,
    fail_fast: bool = False,
) -> None:
    """Execute all tasks of a graph, each after its predecessors.

    A run whose predecessor failed is not started, and its state says why; if only a re-ranking of
    the predecessor failed, it is started. With `fail_fast` no task
    is started after the first failure; running ones are waited for. On Ctrl-C the executor is
    stopped, and `KeyboardInterrupt` is raised when all its tasks have ended.
    """
    schedule = _Schedule(graph, executor, observer, fail_fast=fail_fast)
    try:
        schedule.run()
    except BaseException:
        executor.stop()
        raise
    finally:
        executor.close()


class _Schedule:
    """One pass through a graph."""

    def __init__(
        self,
        graph: TaskGraph,
        executor: Executor,
        observer: Observer,
        *,
        fail_fast: bool,
    ) -> None:
        self._graph = graph
        self._executor = executor
        self._observer = observer
        self._fail_fast = fail_fast
        self._sorter = TopologicalSorter(graph.before)
        self._order = {key: place for place, key in enumerate(graph.tasks)}
        self._ready: list[str] = []
        self._going: dict[Future[TaskResult], str] = {}
        self._failed: dict[str, TaskResult] = {}

    def run(self) -> None:
        self._sorter.prepare()
        while self._sorter.is_active() and not self._stopped:
            self._ready.extend(self._sorter.get_ready())
            self._begin()
            if self._going:
                ended, _ = wait(self._going, _MINUTE, FIRST_COMPLETED)
                if not ended:
                    self._observer.still([self._graph.tasks[key] for key in self._going.values()])
                for future in ended:
                    self._end(self._going.pop(future), future.result())
        for future in list(self._going):
            self._end(self._going.pop(future), future.result())

    @property
    def _stopped(self) -> bool:
        return self._fail_fast and bool(self._failed)

    def _begin(self) -> None:
        """Start ready tasks while there are free slots, in the order of the suite."""
        while self._ready and len(self._going) < self._executor.slots:
            key = self._next()
            self._ready.remove(key)
            task = self._graph.tasks[key]
            cause = next((c for c in self._graph.before[key] if self._is_lacking(c)), None)
            if cause is None:
                self._observer.begun(task)
                self._going[self._executor.submit(task)] = key
            else:
                self._leave_out(key, cause)

    def _is_lacking(self, key: str) -> bool:
        """Whether a task failed without a record: nothing can be built upon it."""
        return key in self._failed and self._failed[key].record is None

    def _next(self) -> str:
        """The first ready task in the order of the suite, if possible one that is not busy."""
        in_order = sorted(self._ready, key=self._order.__getitem__)
        tasks = self._graph.tasks
        return next((key for key in in_order if not self._executor.busy(tasks[key])), in_order[0])

    def _leave_out(self, key: str, cause: str) -> None:
        before, failure = self._graph.tasks[cause], self._failed[cause].state
        reason = f"not started: {before.network or before.label} {failure.status}"
        plan = self._graph.plans[key]
        state = RunState(status="failed", reason=f"{reason}: {failure.reason}", attempts=0)
        leave_failure(plan.folder, state, plan.subject)
        self._end(key, TaskResult(state=state))

    def _end(self, key: str, result: TaskResult) -> None:
        if not result.done:
            self._failed[key] = result
        self._observer.ended(self._graph.tasks[key], result)
        self._sorter.done(key)
