"""The one place that writes to the terminal: messages, progress bars, tables."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

Advance = Callable[[int], None]
"""Call with the number of units done since the last call."""


@cache
def output() -> Console:
    """Console of results, on standard output; plain text when piped, honours NO_COLOR."""
    from rich.console import Console

    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False, emoji=False)


@cache
def messages() -> Console:
    """Console of notes, progress and errors, on standard error."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=not sys.stderr.isatty(), highlight=False, emoji=False)


def note(text: str) -> None:
    """One line to the person at the terminal; never part of a result."""
    messages().print(text, markup=False)


def error(text: str) -> None:
    """One line that says what went wrong."""
    from rich.text import Text

    messages().print(Text.assemble(("error:", "bold red"), " ", text))


def print_json(content: Any) -> None:
    """A result as JSON on standard output."""
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def progress(description: str, total: int | None, *, after: float = 0.0) -> Iterator[Advance]:
    """A progress bar for work of `total` units; draws nothing unless standard error is a terminal.

    It shows at the first unit that is done `after` seconds or later, at once without any.

    >>> with progress("counting", total=3) as advance:
    ...     for _ in range(3):
    ...         advance(1)
    """
    from rich.progress import MofNCompleteColumn

    with _bar(description, total, MofNCompleteColumn(), after=after) as advance:
        yield advance


@contextmanager
def transfer(description: str, total: int | None) -> Iterator[Advance]:
    """A progress bar for `total` bytes that come from elsewhere, with their rate."""
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with _bar(description, total, DownloadColumn(), TransferSpeedColumn()) as advance:
        yield advance


@contextmanager
def _bar(
    description: str, total: int | None, *counters: ProgressColumn, after: float = 0.0
) -> Iterator[Advance]:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *counters,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = messages()
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    task = bar.add_task(description, total=total)
    shown_from = time.monotonic() + after

    def advance(units: int) -> None:
        bar.advance(task, units)
        if time.monotonic() >= shown_from:
            bar.start()

    if not after:
        bar.start()
    try:
        yield advance
    finally:
        bar.stop()
