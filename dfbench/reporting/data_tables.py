"""Objectives with real images beside the same without, one table per dataset and scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dfbench.reporting.answers import answered, how_to_read
from dfbench.reporting.comparison import Answers
from dfbench.reporting.layout import Layout
from dfbench.reporting.lines import tables
from dfbench.reporting.questions import conditions, data_questions
from dfbench.runs.record import Record


def data_tables(records: Iterable[Record], answers: Answers) -> list[Layout]:
    """Differences and ratios, with intervals where `answers` holds them, and as printed."""
    layouts = []
    for table in tables(records):
        for condition in conditions(table):
            for question in data_questions(condition):
                if question.rows:
                    layout = answered(question, answers)
                    notes = (*layout.notes, how_to_read())
                    title = f"{condition.place}: with real images and without"
                    layouts.append(replace(layout, title=title, notes=notes))
    return layouts
