"""The page of results: every table and every answer, from committed files alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dfbench.records.record import Record
from dfbench.reporting.comparisons.comparison import Answers, Wanted
from dfbench.reporting.comparisons.questions import ComparableLines, Question, conditions, questions
from dfbench.reporting.lines import tables
from dfbench.reporting.tables.answers import answered, how_to_read
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import leaderboards
from dfbench.reporting.tables.overlap import overlap_tables
from dfbench.reporting.tables.printing import markdown
from dfbench.scenarios.scenario import parse_scenario

PREAMBLE = "preamble.md"
"""What people write about the results, in the folder of records; the page begins with it."""
_MADE_BY = "<!-- made by: dfbench table --page; to write here, edit {preamble} -->"
_TABLE_LEVEL, _QUESTION_LEVEL = 2, 3


def results_page(records: Sequence[Record], answers: Answers, preamble: str) -> str:
    """The page in Markdown."""
    parts = [_MADE_BY.format(preamble=PREAMBLE), preamble.strip() or "# Results"]
    parts.append(f"Comparisons below: {how_to_read()}.")
    for table in answered_tables(records):
        parts += [markdown(layout, _TABLE_LEVEL).strip() for layout in leaderboards(table)]
        parts += [
            markdown(layout, _QUESTION_LEVEL).strip() for layout in answer_table(table, answers)
        ]
    parts += [markdown(layout, _TABLE_LEVEL).strip() for layout in overlap_tables(records)]
    return "\n\n".join(parts) + "\n"


def answered_tables(records: Sequence[Record]) -> list[list[Record]]:
    """The tables whose questions are answered one by one.

    Those of partial class overlap are not: there are many, and they answer together.
    """
    return [
        table
        for table in tables(records)
        if parse_scenario(table[0].scenario).kind in ("closed", "unseen")
    ]


def answer_table(table: Sequence[Record], answers: Answers) -> list[Layout]:
    """The answered questions of one table."""
    return [_placed(answered(question, answers), condition) for condition, question in asked(table)]


def asked(table: Sequence[Record]) -> Iterator[tuple[ComparableLines, Question]]:
    """The questions of one table, by condition; beside others, one of a single row raises none."""
    found = conditions(table)
    for condition in [one for one in found if len(one.lines) > 1] or found:
        for question in questions(condition):
            yield condition, question


def wanted(records: Sequence[Record]) -> list[Wanted]:
    """The comparisons that all questions need, each once."""
    found = {
        one.key: one
        for table in answered_tables(records)
        for _, question in asked(table)
        for one in question.wanted
    }
    return list(found.values())


def _placed(layout: Layout, condition: ComparableLines) -> Layout:
    """With the place of the answer: in its title what tells conditions apart, in its data all."""
    place = {
        "dataset": condition.dataset,
        "scenario": condition.scenario,
        "under": condition.marks,
    }
    title = f"{layout.title} ({condition.marks})" if condition.marks else layout.title
    return replace(layout, title=title, content={**place, **layout.content})
