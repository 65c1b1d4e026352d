"""Which records a figure shows."""

from __future__ import annotations

from collections.abc import Sequence

from dfbench.errors import InvalidInput, unknown_name
from dfbench.records.record import Record
from dfbench.reporting.comparisons.questions import ComparableLines, conditions
from dfbench.reporting.lines import Line, tables
from dfbench.system.console import note


def one_condition(records: Sequence[Record]) -> ComparableLines:
    """The condition with most rows of the one dataset and scenario that the records are of.

    Raises `InvalidInput` for records of several.
    """
    found = tables(records)
    if len(found) > 1:
        places = sorted({f"{t[0].data.name}, {t[0].scenario_title}" for t in found})
        raise InvalidInput(
            f"a figure shows one dataset in one scenario, and there are records of {len(found)}: "
            f"{'; '.join(places)}; choose with --dataset and --scenario"
        )
    first, *others = conditions(found[0])
    if others:
        note(f"shown: {first.marks}; left out: {'; '.join(other.marks for other in others)}")
    return first


def chosen_lines(condition: ComparableLines, labels: Sequence[str], most: int | None) -> list[Line]:
    """The lines of labels in their order; without any the methods' own rows, the best first.

    Of these at most `most` (all if None), and what is left out is said. Raises `UnknownName` for a
    label without records and `InvalidInput` for more labels than a figure can show.
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
        raise InvalidInput(f"{len(lines)} rows by --method; allowed: at most {most} in one figure")
    return lines


def first_of(lines: list[Line], most: int | None) -> list[Line]:
    """The first lines; those left out are said."""
    if most is not None and len(lines) > most:
        names = ", ".join(line.label for line in lines[most:])
        note(f"left out: {names}; choose rows with --method")
    return lines[:most]
