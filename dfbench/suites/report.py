"""The runs of a suite with their states, as a table, as JSON and as live progress."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dfbench.process.folder import LOG_FILE
from dfbench.reporting.cells import duration
from dfbench.reporting.tables.layout import Layout
from dfbench.suites.planning import STATUSES, SuiteItem
from dfbench.system.console import messages, note, print_json, write

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dfbench.suites.executors.task import Executor, Task, TaskResult
    from dfbench.suites.schedule import TaskGraph


class Lines:
    """Progress as lines, one for each task that ended."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended = 0
        self._since: dict[tuple[str, str | None], float] = {}

    def begun(self, task: Task) -> None:
        """Report that a network is being trained; runs report their own start."""
        self._since[task.key] = time.monotonic()
        if task.network is not None:
            note(f"training {task.title}")

    def still(self, tasks: Sequence[Task]) -> None:
        """Report the running tasks and their times."""
        now = time.monotonic()
        going = (f"{task.title} ({duration(now - self._since[task.key])})" for task in tasks)
        note(f"[{self._ended}/{self._total}] running: {', '.join(going)}")

    def ended(self, task: Task, result: TaskResult) -> None:
        """Report how a task ended, and the reason if it failed."""
        self._ended += 1
        state = result.state
        took = "" if state.seconds is None else f" in {state.seconds:.0f} s"
        why = f": {state.reason}" if state.reason else ""
        note(f"[{self._ended}/{self._total}] {state.status}{took}: {task.title}{why}")


class Bars:
    """Progress as a bar for the suite and a line with the time of each running task."""

    def __init__(self, total: int, bars: Progress) -> None:
        self._lines = Lines(total)
        self._bars = bars
        self._suite = bars.add_task("suite", total=total)
        self._going: dict[tuple[str, str | None], TaskID] = {}

    def begun(self, task: Task) -> None:
        """Add a line."""
        self._going[task.key] = self._bars.add_task(task.title, total=None)

    def still(self, tasks: Sequence[Task]) -> None:
        """Nothing: the bars show it."""

    def ended(self, task: Task, result: TaskResult) -> None:
        """Remove the line and report how the task ended."""
        if task.key in self._going:
            self._bars.remove_task(self._going.pop(task.key))
        self._bars.advance(self._suite)
        self._lines.ended(task, result)


@contextmanager
def watched(total: int, *, alone: bool) -> Iterator[Lines | Bars]:
    """An observer: lines, or bars on a terminal unless runs show their own there (`alone`)."""
    console = messages()
    if alone or not console.is_interactive:
        yield Lines(total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield Bars(total, bars)


_AXES = ("method", "dataset", "scenario")
_RETRIED = ("failed", "timeout")
"""States of runs that --retry repeats."""
_HEADER = ("seed", "identity", "state", "time")


def suite_layout(
    title: str, items: Sequence[SuiteItem], networks: Mapping[str, str], command: str
) -> Layout:
    """The table of a suite: runs, totals, networks to train, reasons, the command to retry.

    `command` is the command that executes the suite. A dataset or scenario that all runs share is
    in the title.
    """
    axes = [_axes(item) for item in items]
    common = {axis: axes[0][axis] for axis in _AXES[1:] if len({a[axis] for a in axes}) == 1}
    shown = [axis for axis in _AXES if axis not in common]
    return Layout(
        title=", ".join((title, *common.values())),
        header=(*shown, *_HEADER),
        rows=tuple(
            (*(names[axis] for axis in shown), *_texts(item))
            for names, item in zip(axes, items, strict=True)
        ),
        notes=(_totals(items), *_networks(networks), *_reasons(items), *_again(items, command)),
        content=_suite_content(title, items, networks),
        text_columns=len(shown),
    )


def _suite_content(
    title: str, items: Sequence[SuiteItem], networks: Mapping[str, str]
) -> dict[str, Any]:
    """The content for `--format json`."""
    return {
        "title": title,
        "runs": [_content(item) for item in items],
        "networks": [{"name": name, "identity": key} for key, name in networks.items()],
        "totals": {
            **{status: sum(item.status == status for item in items) for status in STATUSES},
            "estimated_seconds": round(sum(item.estimate or 0 for item in _missing(items)), 1),
            "of_unknown_cost": sum(item.estimate is None for item in _missing(items)),
        },
    }


def print_jobs(graph: TaskGraph, executor: Executor, *, alone: bool, form: str) -> None:
    """Print each task with the resources it would take, one a line, in the order of the suite."""
    del alone
    note(f"{len(graph.tasks)} tasks, {executor.slots} at a time; nothing was started")
    jobs = [(task.title, executor.takes(task)) for task in graph.tasks.values()]
    if form == "json":
        print_json([{"task": title, "resources": dict(taken)} for title, taken in jobs])
        return
    for title, taken in jobs:
        resources = ", ".join(f"{key} {_amount(value)}" for key, value in taken.items())
        write(f"{title}: {resources}\n")


def _amount(value: int | float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _missing(items: Sequence[SuiteItem]) -> list[SuiteItem]:
    return [item for item in items if item.missing]


def _content(item: SuiteItem) -> dict[str, Any]:
    request, plan, state, record = item.run.request, item.run.plan, item.state, item.record
    return {
        "method": item.run.label,
        "settings": dict(request.settings.method),
        "dataset": item.run.dataset,
        "scenario": request.scenario,
        "seed": request.seed,
        "fit_id": plan.fit_id if plan else None,
        "eval_id": plan.eval_id if plan else None,
        "status": item.status,
        "reason": item.reason,
        "missing": item.missing,
        "attempts": record.attempts if record else state.attempts if state else 0,
        "seconds": item.seconds,
        "estimated_seconds": item.estimate,
        "folder": str(plan.folder) if plan else None,
        "digests": record.digests.model_dump() if record else None,
    }


def _axes(item: SuiteItem) -> dict[str, str]:
    run = item.run
    row, scenario = run.request.configured_method, run.request.scenario
    return {"method": row, "dataset": run.dataset, "scenario": scenario}


def _texts(item: SuiteItem) -> tuple[str, ...]:
    return (
        str(item.run.request.seed),
        item.run.plan.eval_id[:8] if item.run.plan else "-",
        item.status,
        _time(item),
    )


def _time(item: SuiteItem) -> str:
    if item.seconds is not None:
        return duration(item.seconds)
    if not item.missing:
        return "-"
    return "?" if item.estimate is None else f"~{duration(item.estimate)}"


def _totals(items: Sequence[SuiteItem]) -> str:
    counts = Counter(item.status for item in items)
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    text = f"{len(items)} runs: {', '.join(parts)}"
    missing = _missing(items)
    if missing:
        known = [item.estimate for item in missing if item.estimate is not None]
        text += f"; to do: {len(missing)}"
        text += f", about {duration(sum(known))}" if known else ""
        unknown = len(missing) - len(known)
        text += f", {unknown} of unknown cost (?)" if unknown else ""
    return text


def _networks(networks: Mapping[str, str]) -> list[str]:
    if not networks:
        return []
    counts = Counter(networks.values())
    parts = [f"{count} {name}" for name, count in sorted(counts.items())]
    return [f"to be trained first: {', '.join(parts)}"]


def _reasons(items: Sequence[SuiteItem]) -> list[str]:
    return [
        f"{item.run.title}: {item.status}: {item.reason}{_log(item)}"
        for item in items
        if item.reason
    ]


def _log(item: SuiteItem) -> str:
    """The log of a failed run's processes."""
    if item.run.plan is None or item.missing or item.status not in _RETRIED:
        return ""
    log = item.run.plan.folder / LOG_FILE
    return f" (log: {log})" if log.is_file() else ""


def _again(items: Sequence[SuiteItem], command: str) -> list[str]:
    """The command that repeats failed runs, which are not missing."""
    ended = {item.status for item in items if not item.missing}.intersection(_RETRIED)
    if not ended:
        return []
    how = "all" if len(ended) > 1 else next(iter(ended))
    more = " --timeout TIME" if "timeout" in ended else ""
    return [f"to repeat these from their last checkpoints: {command} --retry {how}{more}"]
