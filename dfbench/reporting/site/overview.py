"""The first page of a report: what each dataset and scenario shows at a glance, and all methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dfbench.records.record import Record
from dfbench.reporting.comparisons.questions import conditions
from dfbench.reporting.lines import Line
from dfbench.reporting.overlap import sweeps
from dfbench.reporting.roles import REFERENCE, roles, section_of
from dfbench.reporting.run_folders import RunFolders
from dfbench.reporting.site.charts import (
    CURVE_BOTTOM,
    CURVE_LEFT,
    WIDTH,
    MethodChart,
    OverlapChart,
    line_key,
    method_chart,
    overlap_chart,
)
from dfbench.reporting.site.pictures import PictureView, Retrieval, ShownRetrievals
from dfbench.reporting.site.rendering import OVERVIEW, run_page, write_page
from dfbench.reporting.site.run_page import ShownPictures
from dfbench.reporting.site.table_page import IntervalChart, ReadableFolders
from dfbench.reporting.tables.overlap import overlap_tables
from dfbench.reporting.tables.unfinished import UnfinishedRun, counted, unfinished_layouts

_TEMPLATE = "overview.html.j2"
_STANDINGS = ("median", "best", "worst")
"""Which query a strip shows, if there are several."""
MOST_PAIRS = 10
"""Generated pairs in a strip."""


@dataclass(frozen=True)
class TableEntry:
    """A dataset and scenario, and its page."""

    title: str
    address: str
    intervals: IntervalChart

    @property
    def rows(self) -> list[Line]:
        """The lines of its table, best first."""
        return [row.line for row in self.intervals.rows]

    @property
    def best(self) -> Line | None:
        """The best data-free line; None if there are only references."""
        return next((row for row in self.rows if section_of(row.first.method) != REFERENCE), None)

    @property
    def first(self) -> Record:
        """Any of its records, for what they have in common."""
        return self.rows[0].first

    @property
    def records(self) -> list[Record]:
        """All its records."""
        return [record for line in self.rows for record in line.records]

    @property
    def anchor(self) -> str:
        """Identifier of its part of the first page."""
        return PurePosixPath(self.address).stem.replace(".", "-")


@dataclass(frozen=True)
class RetrievalStrip:
    """A query of a run with its best photos."""

    name: str
    """The method."""
    page: str
    sheet: ShownRetrievals
    one: Retrieval
    standing: str


@dataclass(frozen=True)
class PairStrip:
    """Generated pairs of a run."""

    name: str
    """The method."""
    page: str
    view: PictureView


@dataclass(frozen=True)
class ScenarioPanel:
    """What one dataset and scenario shows at a glance."""

    entry: TableEntry
    chart: MethodChart
    retrievals: RetrievalStrip | None
    pairs: PairStrip | None


@dataclass(frozen=True)
class DatasetGlance:
    """All scenarios of one dataset."""

    name: str
    overlaps: tuple[OverlapChart, ...]
    panels: tuple[ScenarioPanel, ...]


def write_overview(
    report: Path,
    entries: Sequence[TableEntry],
    unfinished: Sequence[UnfinishedRun],
    pictures: Mapping[str, ShownPictures],
    runs: Path,
) -> None:
    """Write the first page; `pictures` are those of each run's page, by evaluation."""
    records = [record for entry in entries for record in entry.records]
    datasets = _glances(entries, pictures, ReadableFolders(runs))
    content = {
        "entries": entries,
        "datasets": datasets,
        "any_published": any(
            row.published is not None
            for dataset in datasets
            for panel in dataset.panels
            for row in panel.chart.rows
        ),
        "reference": _title_of(roles().bar, entries),
        "rows": list(_rows(entries)),
        "runs": len(records),
        "lacking": sum(bool(shown.missing) for shown in pictures.values()),
        "most_pairs": MOST_PAIRS,
        "width": WIDTH,
        "curve_left": CURVE_LEFT,
        "curve_bottom": CURVE_BOTTOM,
        "counted": counted(unfinished),
        "unfinished": unfinished_layouts(unfinished),
        "addresses": {record.eval_id: run_page(record) for record in records},
        "overlap": overlap_tables(records),
        "formulas": _formulas(records),
    }
    write_page(report, OVERVIEW, _TEMPLATE, content)


def _title_of(label: str, entries: Sequence[TableEntry]) -> str | None:
    """The title of a method; None if no table has it."""
    titles = (
        line.first.method.display_title
        for entry in entries
        for line in entry.rows
        if line.label == label
    )
    return next(titles, None)


def _glances(
    entries: Sequence[TableEntry], pictures: Mapping[str, ShownPictures], runs: RunFolders
) -> list[DatasetGlance]:
    by_data: dict[tuple[str, str], list[TableEntry]] = {}
    for entry in entries:
        data = entry.first.data
        by_data.setdefault((data.name, data.fingerprint), []).append(entry)
    return [
        DatasetGlance(
            name,
            tuple(
                chart
                for sweep in sweeps(record for entry in own for record in entry.records)
                if (chart := overlap_chart(sweep, runs)) is not None
            ),
            tuple(_panel(entry, pictures) for entry in own),
        )
        for (name, _), own in by_data.items()
    ]


def _panel(entry: TableEntry, pictures: Mapping[str, ShownPictures]) -> ScenarioPanel:
    lines = conditions(entry.records)[0].lines
    found = {line_key(row.line): row.by_representation for row in entry.intervals.rows}
    free = [line for line in lines if section_of(line.first.method) != REFERENCE]
    shown = [(line, record, pictures[record.eval_id]) for line in free for record in line.records]
    return ScenarioPanel(
        entry,
        method_chart(lines, found, len(entry.rows)),
        next(_retrieval_strips(shown), None),
        next(_pair_strips(shown), None),
    )


_Candidates = Sequence[tuple[Line, Record, ShownPictures]]
"""Runs of data-free methods, best method first."""


def _retrieval_strips(candidates: _Candidates) -> Iterator[RetrievalStrip]:
    for line, record, shown in candidates:
        if shown.gallery is None:
            continue
        for standing in _STANDINGS:
            for one in shown.gallery.by_standing.get(standing, ()):
                yield RetrievalStrip(line.name, run_page(record), shown.gallery, one, standing)


def _pair_strips(candidates: _Candidates) -> Iterator[PairStrip]:
    for line, record, shown in candidates:
        for view in shown.views:
            if view.pairs and view.picture:
                yield PairStrip(line.name, run_page(record), view)


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
