"""Selection of the records that a command uses, by dataset and scenario."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dfbench.errors import InvalidInput, unknown_name
from dfbench.records.record import Record
from dfbench.records.store import ResultStore
from dfbench.reporting.tables.unfinished import UnfinishedRun, counted, unfinished_runs
from dfbench.system.console import note


def chosen_records(
    results: Path, dataset: str | None, scenario: str | None, runs: Path | None = None
) -> list[Record]:
    """The valid records of a folder that match the options; invalid files are noted.

    If there are no records, the error counts the unfinished runs below the folder `runs`.

    Raises `InvalidInput` for a folder without records and `UnknownName` for an option without
    matches.
    """
    store = ResultStore(results)
    records = list(store)
    for problem in store.problems:
        note(f"left out: {problem}")
    if not records:
        unfinished = unfinished_runs(runs, ()) if runs else []
        failed = f" ({counted(unfinished)} in {str(runs)!r})" if unfinished else ""
        raise InvalidInput(
            f"no records in {str(results)!r}{failed}; make one (dfbench run --method crossx "
            "--dataset shapes) or choose another folder with --results"
        )
    records = _only("dataset", dataset, records, [record.data.name for record in records])
    return _only("scenario", scenario, records, [record.scenario for record in records])


def say_unfinished(unfinished: Sequence[UnfinishedRun]) -> None:
    """Note the number of unfinished runs, for outputs that cannot list them."""
    if unfinished:
        note(f"{counted(unfinished)}; why: dfbench table")


def _only(axis: str, name: str | None, records: list[Record], names: list[str]) -> list[Record]:
    if name is None:
        return records
    if name not in names:
        raise unknown_name(axis, name, set(names), "dfbench table")
    return [record for record, own in zip(records, names, strict=True) if own == name]
