"""The page of a dataset and scenario: its table, intervals, runs and answered questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dfbench.reporting.answers import how_to_read
from dfbench.reporting.comparison import Answers
from dfbench.reporting.layout import Layout
from dfbench.reporting.leaderboard import HEADLINE, leaderboards, table_title
from dfbench.reporting.lines import DEFAULT_METRIC, Line, lines
from dfbench.reporting.page import answer_table, answered_tables
from dfbench.reporting.site.addresses import run_page, table_page
from dfbench.reporting.site.intervals import interval_chart
from dfbench.reporting.site.rendering import write_page
from dfbench.reporting.unfinished import Unfinished, unfinished_layouts
from dfbench.runs.record import Record

_TEMPLATE = "table.html.j2"


def write_table_page(
    report: Path,
    table: Sequence[Record],
    unfinished: Sequence[Unfinished],
    answers: Answers,
    runs: Path,
) -> list[Line]:
    """Write the page; returns the table's rows, best first."""
    rows = lines(table)
    first = table[0]
    own = [one for one in unfinished if one.is_of((), first.data.name, first.scenario)]
    content = {
        "title": table_title(first),
        "first": first,
        "leaderboard": leaderboards(table)[0],
        "unfinished": unfinished_layouts(own),
        "chart": interval_chart(rows, DEFAULT_METRIC, runs),
        "rows": rows,
        "addresses": {record.eval_id: run_page(record) for record in table},
        "metrics": [name for name in HEADLINE if name in first.metrics],
        "answers": _answers(table, answers),
        "how_to_read": how_to_read(),
    }
    write_page(report, table_page(table), _TEMPLATE, content)
    return rows


def _answers(table: Sequence[Record], answers: Answers) -> list[Layout]:
    return [
        layout
        for asked in answered_tables(table)
        for layout in answer_table(asked, answers)
        if layout.rows
    ]
