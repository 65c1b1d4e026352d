"""Selection of the records shown in a figure."""

from __future__ import annotations

from collections.abc import Sequence

from dfbench.errors import InvalidInput, unknown_name
from dfbench.records.record import Record
from dfbench.reporting.comparisons.questions import ComparableLines, conditions
from dfbench.reporting.lines import Line, tables
from dfbench.system.console import note


def one_condition(records: Sequence[Record]) -> ComparableLines:
    """The condition with the most methods, for records of one dataset and scenario.

    Raises `InvalidInput` for records of several.
    """
    found = tables(records)
    if len(found) > 1:
        places = sorted({f"{t[0].data.name}, {t[0].scenario_title}" for t in found})
        raise InvalidInput(
            f"a figure shows one dataset and scenario, and there are records of {len(found)}: "
            f"{'; '.join(places)}; choose with --dataset and --scenario"
        )
    first, *others = conditions(found[0])
    if others:
        note(f"shown: {first.marks}; left out: {'; '.join(other.marks for other in others)}")
    return first


def chosen_lines(condition: ComparableLines, labels: Sequence[str], most: int | None) -> list[Line]:
    """The lines with these labels, in this order; by default all methods without variants.

    Without labels, at most `most` lines (all if None), the best first, with a note of those left
    out. Raises `UnknownName` for a label without records and `InvalidInput` for more than `most`
    lines by label.
    """
    known = {line.label for line in condition.lines}
    for label in labels:
        if label not in known:
            raise unknown_name("method", label, known, "dfbench table")
    if not labels:
        lines = [line for line in condition.lines if line.first.method.variant is None]
        return first_of(lines or list(condition.lines), most)
    lines = [line for label in dict.fromkeys(labels) for line in condition.of(label)]
    if most is not None and len(lines) > most:
        raise InvalidInput(
            f"{len(lines)} methods by --method; allowed: at most {most} in one figure"
        )
    return lines


def first_of(lines: list[Line], most: int | None) -> list[Line]:
    """The first lines, with a note of those left out."""
    if most is not None and len(lines) > most:
        names = ", ".join(line.label for line in lines[most:])
        note(f"left out: {names}; choose methods with --method")
    return lines[:most]
