"""A table as data, and its faces: terminal, Markdown, LaTeX, HTML, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dfbench.console import output, print_json

if TYPE_CHECKING:
    from rich.console import Console

Rank = Literal["best", "second"]
RANKS = "of each section and column the best in bold, the second underlined"
"""What a face that marks ranks says of them."""
_LEAST_NAME = 16
"""Letters of a column of words that the narrowest terminal shows in a line."""
_GAP = 3
"""Blanks between two columns."""
_WORD = re.compile(r"[a-z]{2}")
_MARKUP = re.compile(r"[\\|<*`]")


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


def print_layouts(layouts: list[Layout], form: str) -> None:
    """Print tables as `text`, `markdown`, `latex`, `html` or `json`."""
    if form == "json":
        print_json([layout.told for layout in layouts])
    elif form == "html":
        from dfbench.reporting.html import html

        output().print(html(layouts), markup=False, soft_wrap=True)
    elif form == "latex":
        from dfbench.reporting.latex import latex

        output().print(latex(layouts), markup=False, soft_wrap=True)
    else:
        show = _markdown if form == "markdown" else _text
        for layout in layouts:
            show(layout)


def _text(layout: Layout) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    header = layout.whole_header("\n")
    for column, (name, side) in enumerate(zip(header, layout.alignment(), strict=True)):
        table.add_column(Text(name), justify=side, no_wrap=not _has_words(layout, column))
    for heading, places in layout.parts():
        if heading:
            table.add_row(Text(heading, style="italic"))
        for place in places:
            table.add_row(*map(Text, layout.rows[place]))
        table.add_section()
    console = output()
    console.print(Text(layout.title, style="bold"))
    with _at_least(_least_width(layout)) as console:
        console.print(table)
    for line in layout.notes:
        console.print(Text(line, style="dim"))
    console.print()


@contextmanager
def _at_least(width: int) -> Iterator[Console]:
    """The console of results, made so wide: a terminal breaks the lines where a table cannot."""
    console = output()
    before = console.width
    console.width = max(before, width)
    try:
        yield console
    finally:
        console.width = before


def _least_width(layout: Layout) -> int:
    """Letters that a line needs for all numbers, and for words as far as they can be broken."""
    width = 0
    for column, name in enumerate(layout.whole_header("\n")):
        cells = (*name.split("\n"), *(row[column] for row in layout.rows))
        widest = max(map(len, cells))
        width += min(widest, _LEAST_NAME) if _has_words(layout, column) else widest
    return width + _GAP * (len(layout.header) + 1)


def _has_words(layout: Layout, column: int) -> bool:
    cells = (row[column] for row in layout.rows)
    return column < layout.text_columns or any(map(_WORD.search, cells))


def markdown(layout: Layout, level: int = 3) -> str:
    """A table as Markdown: heading, body, notes as a list; sections begin with a row in italics."""
    from tabulate import tabulate

    rows = []
    for heading, places in layout.parts():
        if heading:
            rows.append([f"*{heading}*", *[""] * (len(layout.header) - 1)])
        rows += [list(map(_literal, layout.rows[place])) for place in places]
    body = tabulate(
        rows,
        list(map(_literal, layout.whole_header(" "))),
        tablefmt="github",
        colalign=layout.alignment(),
        disable_numparse=True,
    )
    parts = (
        f"{'#' * level} {_literal(layout.title)}",
        body,
        "\n".join(f"- {_literal(line)}" for line in layout.notes),
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def _literal(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _markdown(layout: Layout) -> None:
    output().print(markdown(layout), markup=False, soft_wrap=True)
