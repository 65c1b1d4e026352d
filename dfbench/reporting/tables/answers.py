"""Questions with their answers as tables: comparisons, ablations, with and without real images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

from dfbench.records.record import Record
from dfbench.reporting.cells import NONE, mean_and_deviation, metric_title, short, signed
from dfbench.reporting.comparisons.comparison import (
    Answers,
    Comparison,
    Representation,
    Wanted,
    has,
)
from dfbench.reporting.comparisons.gallery import gallery_questions
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
from dfbench.reporting.tables.columns import Column, Kind, Table
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import HEADLINE


def how_to_read(metric: str = DEFAULT_METRIC) -> str:
    """What the numbers of every comparison are."""
    return (
        f"{metric_title(metric)}, mean over common seeds [95 % interval of a paired bootstrap over "
        "seeds and queries]; with three or more common seeds the verdict is better or worse if the "
        "interval excludes 0; with fewer the interval is over queries only, without a verdict"
    )


def answered(question: Question, answers: Answers) -> Layout:
    """The table of a question; without rows its notes say what is missing."""
    kind: Kind[Cell] = Kind(
        text=partial(_text, answers=answers), content=partial(_content, answers=answers)
    )
    columns: tuple[Column[tuple[Cell, ...]], ...] = tuple(
        Column(itemgetter(place), kind, title=name, key=(name,))
        for place, name in enumerate(question.header if question.rows else ())
    )
    layout = Table(columns, columns, {"": question.rows}).layout(
        question.title,
        question.notes if question.rows else [f"left out: {note}" for note in question.notes],
        {"question": question.title},
    )
    content = {**layout.content, "notes": list(question.notes)}
    return replace(
        layout, content=content, text_columns=len(question.header), sections=question.sections
    )


def _text(cell: Cell, answers: Answers) -> str:
    if isinstance(cell, str):
        return cell
    if not cell.seeds:
        return f"{NONE} (no common seed)"
    if cell.value is None:
        return f"{NONE} (denominator not positive)"
    number = signed if cell.statistic == "difference" else short
    answer = answers.get(cell.key)
    if answer is None:
        return f"{number(cell.value)} (no interval yet)"
    if answer.low is None or answer.high is None:
        return f"{number(answer.value)} (denominator not clearly positive)"
    interval = f"{number(answer.value)} [{number(answer.low)}, {number(answer.high)}]"
    return f"{interval} {answer.verdict}" if cell.statistic == "difference" else interval


def _content(cell: Cell, answers: Answers) -> Any:
    if isinstance(cell, str):
        return cell
    if not cell.seeds or cell.value is None:
        return None
    answer = answers.get(cell.key)
    return _json(answer) if answer else {"value": cell.value, "seeds": list(cell.seeds)}


def _json(answer: Comparison) -> dict[str, Any]:
    content = answer.model_dump(mode="json")
    return {**content, "verdict": answer.verdict} if answer.statistic == "difference" else content


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
            "method",
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


def gallery_tables(records: Iterable[Record], answers: Answers) -> list[Layout]:
    """What re-rankers add, by dataset and scenario; with intervals if `answers` contains them."""
    layouts = []
    for table in tables(records):
        for condition in conditions(table):
            for question in gallery_questions(condition):
                layout = answered(question, answers)
                title = f"{condition.place}: what does the gallery know?"
                layouts.append(replace(layout, title=title, notes=(*layout.notes, how_to_read())))
    return layouts
