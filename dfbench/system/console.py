"""The one place that writes to the terminal: messages, progress bars, tables."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any, cast

from dfbench.system.streams import Messages, Output, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn
    from rich.text import Text

Advance = Callable[[int], None]
"""Call with the number of units done since the last call."""
_UNFOLDED = 10_000
"""Console width without a terminal, so that nothing is folded."""
_PATIENCE = 2.0
"""Seconds of work before the first progress line, without a terminal."""
_MINUTE = 60.0


def output() -> Console:
    """Console for results, on standard output; plain text when piped, honours NO_COLOR."""
    return _console(Output())


@cache
def messages() -> Console:
    """Console for notes, progress and errors, on standard error."""
    return _console(Messages())


def note(text: str) -> None:
    """Print one line for the user; never part of a result."""
    from rich.text import Text

    print_line(messages(), Text(text))


def error(text: str) -> None:
    """Print one line that says what went wrong."""
    from rich.text import Text

    print_line(messages(), Text.assemble(("error:", "bold red"), " ", text))


def print_line(console: Console, text: Text) -> None:
    """Print text, folded between words; a word wider than the console is not split."""
    widest = max(map(len, text.plain.split()), default=0)
    console.print(text, soft_wrap=console.soft_wrap or widest > console.width)


def print_json(content: Any) -> None:
    """Print a result as JSON on standard output, valid in any output encoding."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    if printable(text) != text:
        text = json.dumps(content, indent=1, ensure_ascii=True, allow_nan=False)
    write(text + "\n")


def write(text: str) -> None:
    """Write a result to standard output unchanged."""
    stream = Output()
    stream.write(text)
    stream.flush()


@contextmanager
def progress(description: str, total: int | None, *, after: float = 0.0) -> Iterator[Advance]:
    """A progress bar for work of `total` units; without a terminal, a line per minute.

    It appears with the first unit done after `after` seconds, or at once if `after` is 0.

    >>> with progress("counting", total=3) as advance:
    ...     for _ in range(3):
    ...         advance(1)
    """
    if not messages().is_interactive:
        with _lines(description, total, str) as advance:
            yield advance
        return
    from rich.progress import MofNCompleteColumn

    with _bar(description, total, MofNCompleteColumn(), after=after) as advance:
        yield advance


@contextmanager
def transfer(description: str, total: int | None) -> Iterator[Advance]:
    """A progress bar for a download of `total` bytes, with its rate."""
    if not messages().is_interactive:
        with _lines(description, total, lambda size: f"{size / 1e6:.1f} MB") as advance:
            yield advance
        return
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with _bar(description, total, DownloadColumn(), TransferSpeedColumn()) as advance:
        yield advance


@contextmanager
def refreshed() -> Iterator[Callable[[str], None]]:
    """A text on a terminal that the next one replaces; it is removed at the end."""
    from rich.live import Live
    from rich.text import Text

    with Live(console=output(), auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text), refresh=True)


def _console(stream: Output) -> Console:
    from rich.console import Console

    piped = not stream.isatty()
    return Console(
        file=cast("IO[str]", stream),
        width=_UNFOLDED if piped and "COLUMNS" not in os.environ else None,
        soft_wrap=piped,
        highlight=False,
        emoji=False,
    )


@contextmanager
def _lines(description: str, total: int | None, shown: Callable[[int], str]) -> Iterator[Advance]:
    """A line once the work takes long, then one per minute, and one at the end."""
    begun = time.monotonic()
    due = begun + _PATIENCE
    done = counted = 0
    since: float | None = None

    def advance(units: int) -> None:
        nonlocal done, counted, since, due
        done += units
        now = time.monotonic()
        if since is None:  # earlier work and the warm-up do not reflect the rate
            since, counted = now, done
        if now >= due:
            due = now + _MINUTE
            rest = None if total is None or done <= counted else total - done
            left = "" if rest is None else f", {_left((now - since) / (done - counted) * rest)}"
            of = "" if total is None else f" of {shown(total)}"
            note(f"{description}: {shown(done)}{of}{left}")

    yield advance
    if due > begun + _PATIENCE:
        note(f"{description}: done in {_spelt(time.monotonic() - begun)}")


def _left(seconds: float) -> str:
    return f"about {_spelt(seconds)} left"


def _spelt(seconds: float) -> str:
    """Time in seconds below a minute, in minutes below an hour.

    >>> _spelt(4.2), _spelt(179.9), _spelt(4000)
    ('4 s', '3 min', '1 h 7 min')
    """
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} min" if minutes < _MINUTE else f"{minutes // 60} h {minutes % 60} min"


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
    bar = Progress(*columns, console=messages())
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
