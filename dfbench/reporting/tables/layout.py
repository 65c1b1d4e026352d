"""A table as data; `printing` shows it in the terminal, as Markdown, LaTeX, HTML or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    pass

Rank = Literal["best", "second"]
RANKS = "of each section and column the best in bold, the second underlined"
"""What a face that marks ranks says of them."""


@dataclass(frozen=True)
class Layout:
    """A titled table of texts with notes beneath, and the numbers behind it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    content: dict[str, Any]
    """What `--format json` prints for this table."""
    text_columns: int = 1
    """How many columns, from the left, are words; the others are numbers, set flush right."""
    sections: tuple[tuple[str, int], ...] = ()
    """Rows that belong together: title and number of rows of each section, in their order."""
    ranks: Mapping[tuple[int, int], Rank] = field(default_factory=dict)
    """By row and column, the best and the second number of a section."""
    spans: tuple[tuple[str, int], ...] = ()
    """Neighbouring columns under one heading: the heading, maybe empty, and how many columns."""

    @property
    def told(self) -> dict[str, Any]:
        """The content with title and notes, as `--format json` prints it."""
        return {"title": self.title, **self.content, "notes": list(self.notes)}

    def whole_header(self, gap: str) -> list[str]:
        """The header for a face without headings of spans: each before its columns' names."""
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
        """Each section's title and the places of its rows; one without title if all is one."""
        if len(self.sections) < 2:
            yield "", list(range(len(self.rows)))
            return
        start = 0
        for title, length in self.sections:
            yield title, list(range(start, start + length))
            start += length
