"""Order, failures and interruption of tasks, with an executor that does nothing."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from synthetic import synthetic_record

from dfbench.planning.plan import Plan
from dfbench.records.state import RunLock, RunState, read_state, write_state
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.suites.executors.task import Task, TaskResult
from dfbench.suites.schedule import TaskGraph, drive

GOOD = TaskResult(state=RunState(status="done"))
BAD = TaskResult(state=RunState(status="timeout", reason="too slow"))


class Instant:
    """Ends each task, in the order of submission, when the next is asked for."""

    def __init__(self, slots: int, results: dict[str, TaskResult | BaseException]) -> None:
        self.slots = slots
        self.results = results
        self.order: list[str] = []
        self.others: set[str] = set()
        self.stopped = self.closed = False

    def submit(self, task: Task) -> Future[TaskResult]:
        self.order.append(task.label)
        future: Future[TaskResult] = Future()
        result = self.results.get(task.label, GOOD)
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
        return future

    def busy(self, task: Task) -> bool:
        return task.label in self.others

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


class Log:
    """What an observer is told."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}

    def begun(self, task: Task) -> None:
        self.statuses[task.label] = "begun"

    def ended(self, task: Task, result: TaskResult) -> None:
        self.statuses[task.label] = result.state.status


def _graph(folder: Path, before: dict[str, set[str]]) -> TaskGraph:
    places = Places(results=folder, runs=folder, cache=folder)
    graph = TaskGraph()
    for label, earlier in before.items():
        request = RunRequest(method=label, data=DataChoice(name="d"), places=places)
        graph.tasks[label] = Task(
            request=request, label=label, dataset="d", fit_id=label, eval_id=label
        )
        graph.before[label] = earlier
        graph.plans[label] = cast(Plan, SimpleNamespace(folder=folder / label, subject=None))
    return graph


def _driven(folder: Path, before: dict[str, set[str]], slots: int = 1, **more: Any) -> Any:
    fail_fast = more.pop("fail_fast", False)
    executor, log = Instant(slots, more.pop("results", {})), Log()
    executor.others = more.pop("others", set())
    drive(_graph(folder, before), executor, log, fail_fast=fail_fast)
    assert executor.closed
    return executor, log


def test_tasks_go_in_the_order_of_the_suite_after_what_they_need(tmp_path: Path) -> None:
    before = {"b": {"teacher"}, "teacher": set[str](), "a": set[str](), "c": {"b"}}
    executor, _ = _driven(tmp_path, before)
    assert executor.order == ["teacher", "b", "a", "c"]


def test_run_that_another_process_is_at_comes_last(tmp_path: Path) -> None:
    before = {"a": set[str](), "b": set[str](), "c": set[str]()}
    executor, _ = _driven(tmp_path, before, others={"a"})
    assert executor.order == ["b", "c", "a"]


def test_what_needs_a_failed_task_is_not_begun_and_says_why(tmp_path: Path) -> None:
    before = {"a": set[str](), "b": {"a"}, "c": {"b"}, "d": set[str]()}
    executor, log = _driven(tmp_path, before, results={"a": BAD})
    assert executor.order == ["a", "d"]
    assert log.statuses == {"a": "timeout", "b": "failed", "c": "failed", "d": "done"}
    state = read_state(tmp_path / "b")
    assert state is not None
    assert state.reason == "not started: a timeout: too slow"
    assert state.attempts == 0


def test_what_needs_a_run_is_begun_though_a_reranking_of_that_run_failed(
    tmp_path: Path,
) -> None:
    before = {"a": set[str](), "b": {"a"}, "c": {"b"}}
    scored = BAD.model_copy(update={"record": synthetic_record()})
    executor, log = _driven(tmp_path, before, results={"a": scored})
    assert executor.order == ["a", "b", "c"]
    assert log.statuses == {"a": "timeout", "b": "done", "c": "done"}


def test_run_that_others_are_at_keeps_their_state_when_this_suite_cannot_begin_it(
    tmp_path: Path,
) -> None:
    running = RunState(status="running", attempts=2)
    with RunLock(tmp_path / "b"):
        write_state(tmp_path / "b", running)
        _driven(tmp_path, {"a": set[str](), "b": {"a"}}, results={"a": BAD})
        assert read_state(tmp_path / "b") == running


def test_fail_fast_begins_nothing_after_a_failure_but_waits_for_what_goes_on(
    tmp_path: Path,
) -> None:
    before = {"a": set[str](), "b": set[str](), "c": set[str]()}
    executor, log = _driven(tmp_path, before, 2, results={"a": BAD}, fail_fast=True)
    assert executor.order == ["a", "b"]
    assert log.statuses == {"a": "timeout", "b": "done"}


def test_interrupt_stops_the_executor_and_waits_for_it(tmp_path: Path) -> None:
    executor = Instant(1, {"a": KeyboardInterrupt()})
    graph = _graph(tmp_path, {"a": set(), "b": set()})
    with pytest.raises(KeyboardInterrupt):
        drive(graph, executor, Log())
    assert executor.order == ["a"]
    assert executor.stopped
    assert executor.closed
