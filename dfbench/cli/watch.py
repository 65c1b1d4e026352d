"""`dfbench watch`: the curves of a run in the terminal, as they come."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import format_option
from dfbench.cli.request_options import runs_option
from dfbench.system.console import note, output, refreshed, write

if TYPE_CHECKING:
    from dfbench.records.state import RunState
    from dfbench.reporting.live_curves import CurveBoard, LivePoint

_SECONDS = 1.0
_HEADER = ("loop", "curve", "step", "first", "last", "shape")


@click.command()
@click.argument("run", metavar="RUN")
@runs_option
@format_option("text", "json")
def watch(*, run: str, runs: Path, form: str) -> None:
    """Show the training curves of RUN until it ends, or all curves of a finished run.

    RUN is the beginning of the name of its folder or of its identity, or the folder itself.
    Stopping this command does not stop the run. With --format json each point is one line.
    """
    from dfbench.reporting.live_curves import started_run

    folder = started_run(run, runs)
    try:
        _watch_json(folder) if form == "json" else _watch(folder)
    except KeyboardInterrupt:
        note(f"{folder.name}: no longer watched; the run continues")


def _watch_json(folder: Path) -> None:
    for state, points in _followed(folder):
        for point in points:
            write(json.dumps(point.content()) + "\n")
        if state.status != "running":
            write(json.dumps({"status": state.status, "reason": state.reason}) + "\n")


def _watch(folder: Path) -> None:
    """A table that grows, or lines without a terminal; at the end the table."""
    from dfbench.reporting.live_curves import CurveBoard
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts

    board, title = CurveBoard(), folder.name
    with refreshed() if output().is_terminal else nullcontext() as show:
        for state, points in _followed(folder):
            board.add(points)
            title = f"{folder.name}: {state.status}{f': {state.reason}' if state.reason else ''}"
            if show is not None:
                show(_table(board))
            elif state.status == "running":
                _print_lines(points)
    rows = tuple(board.rows())
    notes = () if rows else ("no curves; methods without training have none",)
    print_layouts([Layout(title, _HEADER, rows, notes, {}, 2)], "text")


def _followed(folder: Path) -> Iterator[tuple[RunState, list[LivePoint]]]:
    """The state and the new points about once per second, the last time when the run has ended."""
    from dfbench.records.state import read_state
    from dfbench.reporting.live_curves import CurveTail

    tail = CurveTail(folder)
    while True:
        state = read_state(folder)
        if state is None:
            raise RuntimeError("a run that was started has a state")
        yield state, tail.new()
        if state.status != "running":
            return
        time.sleep(_SECONDS)


def _print_lines(points: list[LivePoint]) -> None:
    """The newest values of each loop, one line each."""
    newest: dict[str, dict[str, float | None]] = {}
    places: dict[str, str] = {}
    for point in points:
        newest.setdefault(point.loop, {}).update(point.values)
        places[point.loop] = f"{point.step + 1} of {point.steps}"
    for loop, values in newest.items():
        told = (f"{n} {'not finite' if v is None else f'{v:.4g}'}" for n, v in values.items())
        write(f"{loop} {places[loop]}: {', '.join(told)}\n")


def _table(board: CurveBoard) -> str:
    """The curves so far, in columns."""
    rows = [_HEADER, *board.rows()]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
