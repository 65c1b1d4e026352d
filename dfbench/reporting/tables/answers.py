"""A question with its answers as a table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

from dfbench.reporting.cells import NONE, metric_title, short, signed
from dfbench.reporting.comparisons.comparison import Answers, Comparison
from dfbench.reporting.comparisons.questions import Cell, Question
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.tables.columns import Column, Kind, Table
from dfbench.reporting.tables.layout import Layout


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
