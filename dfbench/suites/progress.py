"""How far a suite is: a line for each run that ended, and on a terminal what is going on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dfbench.console import messages, note
from dfbench.reporting.cells import duration
from dfbench.suites.tasks import Task, TaskResult

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Lines:
    """A line for each task that ended."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended = 0
        self._since: dict[tuple[str, str | None], float] = {}

    def begun(self, task: Task) -> None:
        """Say that a network is being trained; a run says itself that it begins."""
        self._since[task.key] = time.monotonic()
        if task.network is not None:
            note(f"training {task.title}")

    def still(self, tasks: Sequence[Task]) -> None:
        """Say what is going on, and for how long."""
        now = time.monotonic()
        going = (f"{task.title} ({duration(now - self._since[task.key])})" for task in tasks)
        note(f"[{self._ended}/{self._total}] going on: {', '.join(going)}")

    def ended(self, task: Task, result: TaskResult) -> None:
        """Say how a task ended, and the reason if it failed."""
        self._ended += 1
        state = result.state
        took = "" if state.seconds is None else f" in {state.seconds:.0f} s"
        why = f": {state.reason}" if state.reason else ""
        note(f"[{self._ended}/{self._total}] {state.status}{took}: {task.title}{why}")


class Bars:
    """A bar for the suite and a line, with its time, for each task that is going on."""

    def __init__(self, total: int, bars: Progress) -> None:
        self._lines = Lines(total)
        self._bars = bars
        self._suite = bars.add_task("suite", total=total)
        self._going: dict[tuple[str, str | None], TaskID] = {}

    def begun(self, task: Task) -> None:
        """Add a line."""
        self._going[task.key] = self._bars.add_task(task.title, total=None)

    def still(self, tasks: Sequence[Task]) -> None:
        """The bars say it."""

    def ended(self, task: Task, result: TaskResult) -> None:
        """Take the line away and say how the task ended."""
        if task.key in self._going:
            self._bars.remove_task(self._going.pop(task.key))
        self._bars.advance(self._suite)
        self._lines.ended(task, result)


@contextmanager
def watched(total: int, *, alone: bool) -> Iterator[Lines | Bars]:
    """Lines, or bars on a terminal unless runs show their own there (`alone`)."""
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
