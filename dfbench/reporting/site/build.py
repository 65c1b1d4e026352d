"""Builds a whole report, with several runs in parallel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.records.record import Record
from dfbench.reporting.comparisons.comparison import Answers
from dfbench.reporting.lines import tables
from dfbench.reporting.site.comparing import Comparable, write_comparison, write_values
from dfbench.reporting.site.files import Missing, read_artefacts, shown_pixels
from dfbench.reporting.site.overview import TableEntry, write_overview
from dfbench.reporting.site.rendering import (
    COMPARISON,
    OVERVIEW,
    run_page,
    table_page,
    write_assets,
)
from dfbench.reporting.site.run_page import Placing, ShownPictures, write_run_page
from dfbench.reporting.site.table_page import write_table_page
from dfbench.reporting.site.thumbnails import Thumbnails
from dfbench.reporting.tables.leaderboard import table_title
from dfbench.reporting.tables.unfinished import UnfinishedRun
from dfbench.system.files import check_writable, entries, write_json
from dfbench.system.machine import available_cores

MANIFEST = "report.json"
"""Lists the files of a report, so that the next report removes those it no longer has."""
_MAKER = "dfbench report"


def check_target(report: Path) -> None:
    """Raise `InvalidInput` for a folder with other files, `FileFault` for an unusable path."""
    check_writable(report / MANIFEST)
    if not entries(report) or _listed(report) is not None:
        return
    raise InvalidInput(
        f"-o {str(report)!r} contains files that are not of a report; allowed: a new or empty "
        "folder, or the folder of an earlier report; choose another with -o"
    )


def replace_listed(report: Path, files: Iterable[str]) -> None:
    """Write the list of a report's files, and remove those of an earlier report."""
    written = sorted(set(files))
    for address in set(_listed(report) or ()) - set(written):
        stale = (report / address).resolve()
        if stale.is_relative_to(report.resolve()) and stale.is_file():
            stale.unlink()
    write_json(report / MANIFEST, {"made by": _MAKER, "files": written})


def begin(report: Path) -> None:
    """Mark a folder as a report before its pages are written."""
    if _listed(report) is None:
        write_json(report / MANIFEST, {"made by": _MAKER, "files": []})


def _listed(report: Path) -> list[str] | None:
    """The listed files of the report in a folder; None if there is no report."""
    try:
        content = json.loads((report / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("made by") != _MAKER:
        return None
    return [str(file) for file in content.get("files", [])]


Advance = Callable[[int], None]


@dataclass(frozen=True)
class Built:
    """A finished report."""

    pages: list[str]
    """Relative to the report's folder, the overview first."""
    missing: list[tuple[Record, Missing]]


@dataclass(frozen=True)
class _Written:
    comparable: Comparable | None
    files: list[str]
    pictures: ShownPictures


def build(
    report: Path,
    records: Sequence[Record],
    unfinished: Sequence[UnfinishedRun],
    answers: Answers,
    runs: Path,
    advance: Advance,
) -> Built:
    """Write the report of records and unfinished runs.

    `advance` is called with the number of run pages written so far.
    Raises `InvalidInput` for a folder with other files, and `FileFault`.
    """
    check_target(report)
    begin(report)
    shelf = Thumbnails(report, shown_pixels(runs, records))
    entries: list[TableEntry] = []
    places: dict[str, Placing] = {}
    for table in tables(records):
        chart = write_table_page(report, table, unfinished, answers, runs)
        entry = TableEntry(table_title(table[0]), table_page(table), chart)
        entries.append(entry)
        for line in entry.rows:
            place = Placing(line, entry.title, entry.address)
            places |= {record.eval_id: place for record in line.records}
    shown = [record for entry in entries for line in entry.rows for record in line.records]
    write = partial(_write_run, report, runs, shelf, len(shown))
    written: list[_Written] = []
    with ThreadPoolExecutor(available_cores()) as pool:
        for one in pool.map(lambda record: write(record, places[record.eval_id]), shown):
            written.append(one)
            advance(1)
    comparable = [one.comparable for one in written if one.comparable]
    write_comparison(report, comparable, len(shown))
    pictures = {r.eval_id: one.pictures for r, one in zip(shown, written, strict=True)}
    write_overview(report, entries, unfinished, pictures, runs)
    pages = [OVERVIEW, COMPARISON, *(e.address for e in entries), *map(run_page, shown)]
    others = [file for one in written for file in one.files]
    replace_listed(report, [*pages, *others, *shelf.written, *write_assets(report)])
    missing = [
        (record, lack)
        for record, one in zip(shown, written, strict=True)
        for lack in one.pictures.missing
    ]
    return Built(pages, missing)


def _write_run(
    report: Path, runs: Path, shelf: Thumbnails, count: int, record: Record, place: Placing
) -> _Written:
    found = read_artefacts(runs, record)
    pictures = write_run_page(report, record, place, found, shelf)
    if found.values is None:
        return _Written(None, [], pictures)
    comparable = Comparable(record, place.line.name, found.values, found.labels)
    return _Written(comparable, write_values(report, comparable, count), pictures)
