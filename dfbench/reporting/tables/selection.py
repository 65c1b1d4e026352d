"""Selection of what a command shows: records by dataset and scenario, and methods of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dfbench.errors import InvalidInput, unknown_name
from dfbench.records.record import Record
from dfbench.records.store import ResultStore
from dfbench.reporting.lines import Line, lines, tables
from dfbench.reporting.tables.unfinished import UnfinishedRun, counted, unfinished_runs
from dfbench.system.console import note

if TYPE_CHECKING:
    from dfbench.reporting.comparisons.questions import ComparableLines


def chosen_records(
    results: Path, dataset: str | None, scenario: str | None, runs: Path | None = None
) -> list[Record]:
    """The valid records of a folder that match the options; invalid files are noted.

    If there are no records, the error counts the unfinished runs below the folder `runs`.

    Raises `InvalidInput` for a folder without records and `UnknownName` for an option without
    matches.
    """
    store = ResultStore(results, dataset)
    records = list(store)
    if dataset is not None and not any(record.data.name == dataset for record in records):
        store = ResultStore(results)  # which datasets there are
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


def of_methods(records: list[Record], methods: tuple[str, ...]) -> list[Record]:
    """The records of these methods, variants and lines by their name in tables; all without any.

    Raises `UnknownName`.
    """
    if not methods:
        return records
    selected = {record.eval_id: {record.method.name, record.method.label} for record in records}
    for line in (line for table in tables(records) for line in lines(table)):
        for record in line.records:
            selected[record.eval_id].add(line.name)
    known = set().union(*selected.values())
    for method in methods:
        if method not in known:
            raise unknown_name("method", method, known, "dfbench table")
    wanted = set(methods)
    return [r for r in records if wanted & selected[r.eval_id]]


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


def one_condition(records: Sequence[Record], methods: Sequence[str] = ()) -> ComparableLines:
    """The usual condition of one dataset and scenario, or the first with all these methods.

    Raises `InvalidInput` for records of several.
    """
    from dfbench.reporting.comparisons.questions import conditions

    found = tables(records)
    if len(found) > 1:
        places = sorted({f"{t[0].data.name}, {t[0].scenario_title}" for t in found})
        raise InvalidInput(
            f"a figure shows one dataset and scenario, and there are records of {len(found)}: "
            f"{'; '.join(places)}; choose with --dataset and --scenario"
        )
    every = conditions(found[0])
    chosen = next((one for one in every if all(map(one.of, methods))), every[0])
    others = [one.settings for one in every if one is not chosen]
    if others:
        note(f"shown: {chosen.settings}; left out: {'; '.join(others)}")
    return chosen


def chosen_lines(condition: ComparableLines, labels: Sequence[str], most: int | None) -> list[Line]:
    """The lines with these labels or names, in this order; by default all without variants.

    Without labels, at most `most` lines (all if None), the best first, with a note of those left
    out. Raises `UnknownName` for a label without records and `InvalidInput` for more than `most`
    lines by label.
    """
    known = {name for line in condition.lines for name in line.names}
    for label in labels:
        if label not in known:
            raise unknown_name("method", label, known, "dfbench table")
    if not labels:
        lines = [line for line in condition.lines if line.first.method.variant is None]
        return first_of(lines or list(condition.lines), most)
    lines = [line for label in dict.fromkeys(labels) for line in condition.of(label)]
    if most is not None and len(lines) > most:
        raise InvalidInput(
            f"{len(lines)} methods by --method; allowed: at most {most} in one figure"
        )
    return lines


def first_of(lines: list[Line], most: int | None) -> list[Line]:
    """The first lines, with a note of those left out."""
    if most is not None and len(lines) > most:
        names = ", ".join(line.label for line in lines[most:])
        note(f"left out: {names}; choose methods with --method")
    return lines[:most]
