"""Comparison of two methods wherever their records are comparable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from dfbench.errors import InvalidInput, unknown_name
from dfbench.records.record import Record
from dfbench.reporting.cells import metric_title, short
from dfbench.reporting.comparisons.comparison import Representation, Wanted, has
from dfbench.reporting.comparisons.questions import Cell, ComparableLines, Question, conditions
from dfbench.reporting.lines import Line, tables
from dfbench.reporting.naming import differing, surroundings

Labels = tuple[str, str]


def pair_question(
    records: Sequence[Record], labels: Labels, metric: str, representation: str = ""
) -> Question:
    """First minus second method, by dataset, scenario and other shared settings.

    A method that lacks the representation is compared by its main embeddings, and the table says
    so. Raises `UnknownName` for a method, metric or representation without records, and
    `InvalidInput`, with the reason, if no two records are comparable.
    """
    _check_names(records, labels, metric, representation)
    found = [
        (condition, wanted)
        for table in tables(records)
        for condition in conditions(table)
        for wanted in _wanted(condition, labels, metric, representation)
    ]
    paired = [(condition, wanted) for condition, wanted in found if wanted.seeds]
    if not paired:
        raise InvalidInput(
            f"{labels[0]} and {labels[1]} cannot be compared: {_reason(records, labels)}; run both "
            "on the same data, with the same settings and seeds"
        )
    rows = [_row(condition, wanted) for condition, wanted in paired]
    marked = any(row[-1] for row in rows)
    header = ("dataset", "scenario", "A", "B", "A - B", "seeds", "under")
    names = dict.fromkeys(
        f"{letter}: {label}{f', {side.representation}' if side.representation else ''}"
        for _, wanted in paired
        for letter, label, side in zip("AB", labels, wanted.sides, strict=True)
    )
    return Question(
        title=f"{labels[0]} - {labels[1]}, {metric_title(metric)}",
        header=header if marked else header[:-1],
        rows=tuple(row if marked else row[:-1] for row in rows),
        notes=(*names, f"{metric_title(metric)}: {paired[0][1].definition.formula}"),
    )


def _check_names(
    records: Sequence[Record], labels: Labels, metric: str, representation: str
) -> None:
    known = {name for line in _lines(records) for name in line.names}
    known |= {record.method.label for record in records}
    for label in labels:
        if label not in known:
            raise unknown_name("method", label, known, "dfbench table")
    if labels[0] == labels[1]:
        raise InvalidInput(
            f"both methods are {labels[0]!r}; allowed: two different methods (see: dfbench table)"
        )
    own = [record for label in labels for record in _records_of(records, label)]
    metrics = {name for record in own for name in record.metrics}
    if metric not in metrics:
        raise unknown_name("metric", metric, metrics, "dfbench table --format json")
    representations = {name for record in own for name in record.representations}
    if representation and representation not in representations:
        raise unknown_name(
            "representation", representation, representations, "dfbench table --format json"
        )


def _lines(records: Sequence[Record]) -> Iterator[Line]:
    for table in tables(records):
        for condition in conditions(table):
            yield from condition.lines


def _records_of(records: Sequence[Record], label: str) -> list[Record]:
    """The records of a label, of any version; or of the lines with this name."""
    labelled = [record for record in records if record.method.label == label]
    named = [r for line in _lines(records) if label in line.names for r in line.records]
    return labelled or named


def _wanted(
    condition: ComparableLines, labels: Labels, metric: str, representation: str
) -> Iterator[Wanted]:
    for first, second in product(*map(condition.of, labels)):
        if first is not second and has(first, metric) and has(second, metric):
            sides = (
                _side(first, metric, representation),
                _side(second, metric, representation),
            )
            yield Wanted("difference", sides, metric)


def _side(line: Line, metric: str, representation: str) -> Representation:
    return Representation(line, representation if has(line, metric, representation) else "")


def _row(condition: ComparableLines, wanted: Wanted) -> tuple[Cell, ...]:
    first, second = wanted.sides
    configured = [
        side.line.name
        for side in (first, second)
        if side.line.name != side.line.first.method.display_title
    ]
    return (
        condition.dataset,
        condition.scenario,
        *map(short, wanted.means),
        wanted,
        ", ".join(map(str, wanted.seeds)),
        "; ".join(filter(None, (condition.settings, *configured))),
    )


def _reason(records: Sequence[Record], labels: Labels) -> str:
    """Why the records of two methods are not comparable."""
    both = [[_records_of(table, label) for label in labels] for table in tables(records)]
    for first, second in both:
        if first and second:
            return _difference(first[0], second[0])
    where = [sorted({r.data.name for r in _records_of(records, label)}) for label in labels]
    if where[0] == where[1]:
        return f"their records on {', '.join(where[0])} differ in data or scenario"
    places = (f"{x} is on {', '.join(names)}" for x, names in zip(labels, where, strict=True))
    return "no dataset has records of both: " + ", ".join(places)


def _difference(first: Record, second: Record) -> str:
    settings = surroundings(first), surroundings(second)
    keys = differing(settings)
    if not keys:
        return (
            "they share no seed with the same metric version and teachers, equal in identity and "
            "weights (runs with one --cache share their teachers)"
        )
    return "they differ in " + ", ".join(
        f"{key} ({settings[0][key]} and {settings[1][key]})" for key in keys
    )
