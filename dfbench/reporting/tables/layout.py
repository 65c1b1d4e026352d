"""A table as data; `printing` writes it as text, Markdown, LaTeX, HTML or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Rank = Literal["best", "second"]
RANKS = "bold: best of each section and column; underlined: second best"
"""Legend of output formats that mark ranks."""


class Typed(NamedTuple):
    """A value in full precision with the type of its column in a data frame."""

    value: str | int | float | None
    """None where there is none."""
    dtype: Literal["string", "Int64", "float64"]


Fields = Mapping[str, Typed]
"""A row as CSV and data frames take it, by name of the column."""


@dataclass(frozen=True)
class Layout:
    """A titled table of text cells with notes, and its underlying numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    content: Mapping[str, Any]
    """The table's content for `--format json`."""
    text_columns: int = 1
    """Number of text columns, from the left; the others are numbers, right-aligned."""
    sections: tuple[tuple[str, int], ...] = ()
    """Consecutive groups of rows: title and number of rows of each section."""
    ranks: Mapping[tuple[int, int], Rank] = field(default_factory=dict)
    """By row and column, the best and second best of a section."""
    spans: tuple[tuple[str, int], ...] = ()
    """Groups of neighbouring columns: heading, possibly empty, and number of columns."""
    fields: Callable[[], Iterable[Fields]] = tuple
    """Makes the rows for CSV and data frames; none where the table has no such form."""

    @property
    def json(self) -> dict[str, Any]:
        """The content with title and notes, for `--format json`."""
        return {"title": self.title, **self.content, "notes": list(self.notes)}

    def whole_header(self, gap: str) -> list[str]:
        """One header row, for formats without spans: each column with the heading of its span."""
        headings = [title for title, width in self.spans for _ in range(width)]
        if not headings:
            return list(self.header)
        return [
            f"{title}{gap}{name}" if title else name
            for title, name in zip(headings, self.header, strict=True)
        ]

    def alignment(self) -> list[Literal["left", "right"]]:
        """Alignment of each column."""
        words = min(self.text_columns, len(self.header))
        return [*["left"] * words, *["right"] * (len(self.header) - words)]  # type: ignore[list-item]  # literals widen in a display

    def parts(self) -> Iterator[tuple[str, list[int]]]:
        """Title and row numbers of each section; a single section has no title."""
        if len(self.sections) < 2:
            yield "", list(range(len(self.rows)))
            return
        start = 0
        for title, length in self.sections:
            yield title, list(range(start, start + length))
            start += length
