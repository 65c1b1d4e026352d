"""The records that a verb works on, and the options that choose among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.console import note
from dfbench.errors import InvalidInput, unknown_name

if TYPE_CHECKING:
    from dfbench.reporting.unfinished import Unfinished
    from dfbench.runs.record import Record

Command = Callable[..., Any]


def dataset_option(command: Command) -> Command:
    """Add `--dataset`."""
    option = click.option("--dataset", metavar="D", help="Only this dataset, as tables name it.")
    return option(command)


def scenario_option(command: Command) -> Command:
    """Add `--scenario`."""
    option = click.option("--scenario", metavar="S", help="Only this scenario, e.g. closed.")
    return option(command)


def chosen_records(
    results: Path, dataset: str | None, scenario: str | None, runs: Path | None = None
) -> list[Record]:
    """The good records of a folder that the options choose; what is none is said.

    Without any, the error counts the unfinished runs below the folder `runs`.

    Raises `InvalidInput` without any record and `UnknownName` for an option that chooses none.
    """
    from dfbench.reporting.unfinished import counted, unfinished_runs
    from dfbench.runs.store import ResultStore

    store = ResultStore(results)
    records = list(store)
    for problem in store.problems:
        note(f"left out: {problem}")
    if not records:
        unfinished = unfinished_runs(runs, ()) if runs else []
        failed = f" ({counted(unfinished)} in {str(runs)!r})" if unfinished else ""
        raise InvalidInput(
            f"no records in {str(results)!r}{failed}; make one (dfbench run --method crossx "
            "--dataset shapes) or name another folder with --results"
        )
    records = _only("dataset", dataset, records, [record.data.name for record in records])
    return _only("scenario", scenario, records, [record.scenario for record in records])


def say_unfinished(unfinished: Sequence[Unfinished]) -> None:
    """Say how many runs did not finish, where what is written has no place for it."""
    from dfbench.reporting.unfinished import counted

    if unfinished:
        note(f"{counted(unfinished)}; why: dfbench table")


def _only(axis: str, name: str | None, records: list[Record], names: list[str]) -> list[Record]:
    if name is None:
        return records
    if name not in names:
        raise unknown_name(axis, name, set(names), "dfbench table")
    return [record for record, own in zip(records, names, strict=True) if own == name]
