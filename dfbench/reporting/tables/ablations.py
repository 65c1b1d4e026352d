"""Ablation tables, and tables that compare objectives with and without real images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dfbench.records.record import Record
from dfbench.reporting.cells import mean_and_deviation, metric_title
from dfbench.reporting.comparisons.comparison import Answers, Representation, Wanted, has
from dfbench.reporting.comparisons.questions import (
    POSTERIOR,
    Cell,
    ComparableLines,
    Question,
    conditions,
    data_questions,
    variants_of,
)
from dfbench.reporting.lines import DEFAULT_METRIC, Line, tables
from dfbench.reporting.tables.answers import answered, how_to_read
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import HEADLINE


def ablation_tables(records: Iterable[Record], answers: Answers) -> list[Layout]:
    """For each dataset, scenario and method with variants, a table of scores and differences.

    Differences are to the method itself, with intervals if `answers` contains them.
    """
    return [
        answered(question, answers)
        for table in tables(records)
        for condition in conditions(table)
        for question in _of(condition)
    ]


def _of(condition: ComparableLines) -> Iterator[Question]:
    for subject in condition.lines:
        variants = variants_of(condition, subject)
        if variants:
            yield _question(condition, subject, variants)


def _question(condition: ComparableLines, subject: Line, variants: list[Line]) -> Question:
    rows = [(*_scores(subject), "", ""), *(_ablated(line, subject) for line in variants)]
    return Question(
        title=f"{condition.place}: variants of {subject.name}",
        header=(
            "row",
            *map(metric_title, HEADLINE),
            POSTERIOR,
            "difference",
            "difference of posterior",
        ),
        rows=tuple(rows),
        notes=(f"difference: variant - {subject.name}; {how_to_read()}",),
    )


def _scores(line: Line) -> tuple[str, ...]:
    means = (mean_and_deviation(line.values(metric)) for metric in HEADLINE)
    return (line.name, *means, mean_and_deviation(line.values(DEFAULT_METRIC, POSTERIOR)))


def _ablated(line: Line, subject: Line) -> tuple[Cell, ...]:
    return (
        *_scores(line),
        *(_less(line, subject, representation) for representation in ("", POSTERIOR)),
    )


def _less(line: Line, subject: Line, representation: str) -> Cell:
    if not all(has(one, DEFAULT_METRIC, representation) for one in (line, subject)):
        return ""
    return Wanted(
        "difference",
        (Representation(line, representation), Representation(subject, representation)),
    )


def data_tables(records: Iterable[Record], answers: Answers) -> list[Layout]:
    """Differences and ratios, with intervals if `answers` contains them, and published values."""
    layouts = []
    for table in tables(records):
        for condition in conditions(table):
            for question in data_questions(condition):
                if question.rows:
                    layout = answered(question, answers)
                    notes = (*layout.notes, how_to_read())
                    title = f"{condition.place}: with and without real images"
                    layouts.append(replace(layout, title=title, notes=notes))
    return layouts
