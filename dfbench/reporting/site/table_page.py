"""The page of a dataset and scenario: its table, intervals, runs and answered questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.records.record import Record
from dfbench.reporting.comparisons.comparison import Answers
from dfbench.reporting.comparisons.intervals import (
    SeedMean,
    interval_lines,
    measured_rows,
    scores_of,
)
from dfbench.reporting.comparisons.questions import REPRESENTATIONS
from dfbench.reporting.lines import DEFAULT_METRIC, Line, lines
from dfbench.reporting.run_folders import MissingRun, RunFolders
from dfbench.reporting.site.charts import axis_marks
from dfbench.reporting.site.rendering import run_page, table_page, write_page
from dfbench.reporting.tables.answers import how_to_read
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import HEADLINE, leaderboards, table_title
from dfbench.reporting.tables.page import answer_table, answered_tables
from dfbench.reporting.tables.unfinished import UnfinishedRun, unfinished_layouts


@dataclass(frozen=True)
class IntervalRow:
    """One method with its intervals."""

    line: Line
    by_representation: dict[str, SeedMean]


@dataclass(frozen=True)
class IntervalChart:
    """Methods in the table's order, on an axis that starts at 0."""

    rows: tuple[IntervalRow, ...]
    marks: tuple[float, ...]
    chance: float

    @property
    def end(self) -> float:
        """End of the axis."""
        return self.marks[-1]

    @property
    def kinds(self) -> list[str]:
        """Captions of its intervals."""
        return interval_lines(
            (r.line.name, m) for r in self.rows for m in r.by_representation.values()
        )


class ReadableFolders(RunFolders):
    """Run folders in which unreadable files count as missing: the run's page reports the reason."""

    def values(
        self, record: Record, metric: str, representation: str, reranker: str = ""
    ) -> NDArray[np.float64]:
        try:
            return super().values(record, metric, representation, reranker)
        except InvalidInput as fault:
            raise MissingRun(str(fault)) from fault


def interval_chart(rows: Sequence[Line], metric: str, runs: Path) -> IntervalChart:
    """Means over the seeds with their intervals, as in `dfbench plot`."""
    by_row: list[dict[str, SeedMean]] = [{} for _ in rows]
    for representation in REPRESENTATIONS:
        own = [n for n, line in enumerate(rows) if scores_of(line, metric, representation)]
        intervals = measured_rows(
            [rows[n] for n in own], metric, ReadableFolders(runs), representation
        )
        for number, interval in zip(own, intervals, strict=True):
            by_row[number][representation] = interval
    found = tuple(map(IntervalRow, rows, by_row))
    most = max((m.high for row in found for m in row.by_representation.values()), default=1.0)
    return IntervalChart(found, axis_marks(most), rows[0].first.chance)


_TEMPLATE = "table.html.j2"


def write_table_page(
    report: Path,
    table: Sequence[Record],
    unfinished: Sequence[UnfinishedRun],
    answers: Answers,
    runs: Path,
) -> IntervalChart:
    """Write the page; returns the table's lines with their intervals, best first."""
    rows = lines(table)
    chart = interval_chart(rows, DEFAULT_METRIC, runs)
    first = table[0]
    own = [one for one in unfinished if one.is_of((), first.data.name, first.scenario)]
    content = {
        "title": table_title(first),
        "first": first,
        "leaderboard": leaderboards(table)[0],
        "unfinished": unfinished_layouts(own),
        "chart": chart,
        "rows": rows,
        "addresses": {record.eval_id: run_page(record) for record in table},
        "metrics": [name for name in HEADLINE if name in first.metrics],
        "answers": _answers(table, answers),
        "how_to_read": how_to_read(),
    }
    write_page(report, table_page(table), _TEMPLATE, content)
    return chart


def _answers(table: Sequence[Record], answers: Answers) -> list[Layout]:
    return [
        layout
        for asked in answered_tables(table)
        for layout in answer_table(asked, answers)
        if layout.rows
    ]
