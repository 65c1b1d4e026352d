"""Typed columns: each is declared once, for printed tables, JSON, CSV and data frames alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from dfbench.reporting.cells import NONE, deviation, mean_and_deviation, short
from dfbench.reporting.tables.layout import Fields, Layout, Rank, Typed

if TYPE_CHECKING:
    from pandas import DataFrame

Row = TypeVar("Row")
Value = TypeVar("Value")


class Part(NamedTuple):
    """What a value is in spreadsheets and data frames; several of it make several fields."""

    suffix: str
    """Follows the column's name."""
    typed: Typed


@dataclass(frozen=True)
class Kind(Generic[Value]):
    """How values of a column print, and what of them is stored in full precision."""

    text: Callable[[Value], str]
    """The printed cell."""
    content: Callable[[Value], Any] = lambda value: value
    """The value as JSON."""
    parts: Callable[[Value], Sequence[Part]] = lambda _: ()
    """The value in CSV and data frames."""


def _seeds_parts(values: Sequence[float]) -> tuple[Part, ...]:
    if not values:
        return ()
    return (
        Part("", Typed(fmean(values), "float64")),
        Part("std", Typed(deviation(values), "float64")),
    )


WORDS: Kind[str] = Kind(text=str, parts=lambda value: (Part("", Typed(value, "string")),))
"""One name or text."""
NAMES: Kind[Sequence[str]] = Kind(
    text=lambda names: ", ".join(names) or NONE,
    content=list,
    parts=lambda names: (Part("", Typed("; ".join(names), "string")),),
)
"""Several names."""
SCORES: Kind[Sequence[float]] = Kind(text=mean_and_deviation, content=list, parts=_seeds_parts)
"""A metric on each seed: mean and sample deviation."""
SEEDS: Kind[Sequence[int]] = Kind(
    text=lambda seeds: str(len(seeds)) if seeds else NONE,
    content=list,
    parts=lambda seeds: (Part("", Typed(len(seeds) or None, "Int64")),),
)
"""The seeds of several runs; printed and counted as how many they are."""

COUNT: Kind[int] = Kind(text=str, parts=lambda count: (Part("", Typed(count, "Int64")),))
"""A whole number."""
SHARE: Kind[float] = Kind(
    text="{:g}".format,
    parts=lambda share: (
        Part("", Typed(int(share) if float(share).is_integer() else share, "float64")),
    ),
)
"""A share as a user writes it: 0.5, or 1."""
SCORE: Kind[float] = Kind(text=short, parts=lambda value: (Part("", Typed(value, "float64")),))
"""One value of a metric."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table whose rows are of one type."""

    value: Callable[[Row], Any]
    """The value of a row, in full precision; None where there is none."""
    kind: Kind[Any]
    title: str = ""
    """Heads the printed column."""
    key: tuple[str, ...] = ()
    """Path to the value in a row's JSON; without one it is not there."""
    field: str | None = None
    """Name in CSV and data frames; None if it is not there."""
    ranked: bool = False
    """Whether the best two means of each section are marked."""
    optional: bool = False
    """Whether rows without a value leave the key out, as they do where it is a path of several."""

    def text(self, row: Row) -> str:
        """The printed cell."""
        value = self.value(row)
        return NONE if value is None else self.kind.text(value)

    def add(self, row: Row, content: dict[str, Any]) -> None:
        """Add the value to the JSON of a row."""
        value = self.value(row)
        if not self.key or (value is None and (self.optional or len(self.key) > 1)):
            return
        *path, last = self.key
        for name in path:
            content = content.setdefault(name, {})
        content[last] = None if value is None else self.kind.content(value)

    def fields(self, row: Row) -> Iterator[tuple[str, Typed]]:
        """The value as named fields."""
        value = self.value(row)
        if self.field is not None and value is not None:
            for part in self.kind.parts(value):
                yield f"{self.field} {part.suffix}".strip(), part.typed


def family(key: str) -> Column[Any]:
    """A JSON object in every row, which columns below it fill."""
    return Column(lambda _: {}, Kind(text=str), key=(key,))


@dataclass(frozen=True)
class Table(Generic[Row]):
    """Rows by section, and columns."""

    columns: tuple[Column[Row], ...]
    """All, in the order of JSON, CSV and data frames."""
    shown: tuple[Column[Row], ...]
    """Those of printed tables, in their order."""
    sections: Mapping[str, Sequence[Row]]
    beneath: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    """By section, printed rows that are not of this table's data."""

    @property
    def rows(self) -> list[Row]:
        """All rows, section by section."""
        return [row for rows in self.sections.values() for row in rows]

    @property
    def fields(self) -> Iterator[Fields]:
        """Each row as CSV and data frames take it."""
        for row in self.rows:
            yield {name: typed for column in self.columns for name, typed in column.fields(row)}

    @property
    def json(self) -> list[dict[str, Any]]:
        """Each row as JSON."""
        contents: list[dict[str, Any]] = []
        for row in self.rows:
            contents.append({})
            for column in self.columns:
                column.add(row, contents[-1])
        return contents

    def layout(
        self,
        title: str,
        notes: Sequence[str],
        content: Mapping[str, Any] = MappingProxyType({}),
        *,
        key: str = "rows",
        text_columns: int = 1,
        spans: tuple[tuple[str, int], ...] = (),
        fields: Callable[[], Iterable[Fields]] | None = None,
    ) -> Layout:
        """The table as texts, with `content` and, under `key`, its rows as JSON.

        `fields` replace its own; `text_columns` are left-aligned. JSON and fields are made when
        they are asked for: most tables are only printed.
        """
        counts = [
            (name, len(rows)) for name, rows in (*self.sections.items(), *self.beneath.items())
        ]
        return Layout(
            title=title,
            header=tuple(column.title for column in self.shown),
            rows=(
                *(tuple(column.text(row) for column in self.shown) for row in self.rows),
                *(row for rows in self.beneath.values() for row in rows),
            ),
            notes=tuple(notes),
            content=_WithRows(content, key, self),
            text_columns=text_columns,
            sections=tuple((name, count) for name, count in counts if count),
            ranks=self._ranks(),
            spans=spans,
            fields=fields or (lambda: self.fields),
        )

    def _ranks(self) -> dict[tuple[int, int], Rank]:
        """The best and second of each section and ranked column, as printed."""
        ranks: dict[tuple[int, int], Rank] = {}
        start = 0
        for rows in self.sections.values():
            for place, column in enumerate(self.shown):
                if column.ranked:
                    found = _best_two([column.value(row) or () for row in rows])
                    ranks |= {(start + row, place): rank for row, rank in found.items()}
            start += len(rows)
        return ranks


class _WithRows(Mapping[str, Any]):
    """The content of a layout: some facts, and the rows of a table under a key."""

    def __init__(self, facts: Mapping[str, Any], key: str, table: Table[Any]) -> None:
        self._facts = {**facts, key: None}
        self._key = key
        self._table = table

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return self._table.json

    def __getitem__(self, name: str) -> Any:
        return self._rows if name == self._key else self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def _best_two(rows: Sequence[Sequence[float]]) -> dict[int, Rank]:
    """The best and second best mean, by place; equal rounded means share a rank."""
    means = {place: round(fmean(values), 3) for place, values in enumerate(rows) if values}
    if len(means) < 2:
        return {}
    names: tuple[Rank, Rank] = ("best", "second")
    top = dict(zip(sorted(set(means.values()), reverse=True), names, strict=False))
    return {place: top[mean] for place, mean in means.items() if mean in top}


def csv_text(layouts: Sequence[Layout]) -> str:
    """All rows of several tables under one header; an empty field is a number that there is not."""
    rows = _rows(layouts)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_dtypes(rows)), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: typed.value for name, typed in row.items()} for row in rows)
    return text.getvalue()


def data_frame(layouts: Sequence[Layout]) -> DataFrame:
    """The columns of `csv_text` by name, each of its own type: texts, whole numbers or floats."""
    # pandas takes a second to import, and no other form of a table needs it.
    import pandas

    rows = _rows(layouts)
    dtypes = _dtypes(rows)
    columns = {name: [row[name].value if name in row else None for row in rows] for name in dtypes}
    return pandas.DataFrame(columns).astype(dtypes)


def _rows(layouts: Iterable[Layout]) -> list[Fields]:
    return [row for layout in layouts for row in layout.fields()]


def _dtypes(rows: Iterable[Fields]) -> dict[str, str]:
    """The columns that any row has, in the order in which they first occur, and their types."""
    return {name: typed.dtype for row in rows for name, typed in row.items()}
