"""The first page: all methods on all datasets, with links to the other pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfbench.records.record import Record
from dfbench.reporting.lines import Line
from dfbench.reporting.roles import section_of
from dfbench.reporting.site.rendering import OVERVIEW, run_page, write_page
from dfbench.reporting.tables.overlap import overlap_tables
from dfbench.reporting.tables.unfinished import UnfinishedRun, counted, unfinished_layouts

_TEMPLATE = "overview.html.j2"


@dataclass(frozen=True)
class TableEntry:
    """A dataset and scenario, and its page."""

    title: str
    address: str
    rows: Sequence[Line]

    @property
    def first(self) -> Record:
        """Any of its records, for what they have in common."""
        return self.rows[0].first

    @property
    def runs(self) -> int:
        """Number of its runs."""
        return sum(len(line.records) for line in self.rows)


def write_overview(
    report: Path, entries: Sequence[TableEntry], unfinished: Sequence[UnfinishedRun], lacking: int
) -> None:
    """Write the first page; `lacking` is the number of runs whose page lacks something."""
    records = [record for entry in entries for line in entry.rows for record in line.records]
    content = {
        "entries": entries,
        "rows": list(_rows(entries)),
        "runs": len(records),
        "lacking": lacking,
        "counted": counted(unfinished),
        "unfinished": unfinished_layouts(unfinished),
        "addresses": {record.eval_id: run_page(record) for record in records},
        "overlap": overlap_tables(records),
        "formulas": _formulas(records),
    }
    write_page(report, OVERVIEW, _TEMPLATE, content)


def _rows(entries: Sequence[TableEntry]) -> Iterator[tuple[TableEntry, Line, str]]:
    for entry in entries:
        for line in entry.rows:
            yield entry, line, section_of(line.first.method)


def _formulas(records: Sequence[Record]) -> dict[str, str]:
    """The formula of each metric, by name."""
    return {
        name: definition.formula
        for record in records
        for name, definition in record.definitions.items()
    }
