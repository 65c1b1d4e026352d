"""A table as data, and its faces: terminal, Markdown, LaTeX, HTML, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from dfbench.console import output, print_json, print_line, write
from dfbench.streams import Output, printable

if TYPE_CHECKING:
    from rich.console import Console

Rank = Literal["best", "second"]
RANKS = "of each section and column the best in bold, the second underlined"
"""What a face that marks ranks says of them."""
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

        encoding = Output().encoding
        write(html(layouts).encode(encoding, "xmlcharrefreplace").decode(encoding) + "\n")
    elif form == "latex":
        from dfbench.reporting.latex import latex

        write(latex(layouts) + "\n")
    else:
        show = _markdown if form == "markdown" else _text
        for layout in layouts:
            show(layout)


def _text(layout: Layout) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    layout = _printable(layout)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    header = layout.whole_header("\n")
    for column, (name, side) in enumerate(zip(header, layout.alignment(), strict=True)):
        table.add_column(
            Text(name),
            justify=side,
            no_wrap=not _has_words(layout, column),
            min_width=_least_width(layout, column),
        )
    for heading, places in layout.parts():
        if heading:
            table.add_row(Text(heading, style="italic"))
        for place in places:
            table.add_row(*map(Text, layout.rows[place]))
        table.add_section()
    console = output()
    print_line(console, Text(layout.title, style="bold"))
    columns = range(len(header))
    with _at_least(sum(_least_width(layout, c) + _GAP for c in columns) + _GAP, console):
        console.print(table)
    for line in layout.notes:
        print_line(console, Text(line, style="dim"))
    console.print()


def _printable(layout: Layout) -> Layout:
    """The table in letters that standard output has, so that its columns are as wide as shown."""
    return replace(
        layout,
        title=printable(layout.title),
        header=tuple(map(printable, layout.header)),
        rows=tuple(tuple(map(printable, row)) for row in layout.rows),
        notes=tuple(map(printable, layout.notes)),
        sections=tuple((printable(title), length) for title, length in layout.sections),
        spans=tuple((printable(title), width) for title, width in layout.spans),
    )


@contextmanager
def _at_least(width: int, console: Console) -> Iterator[None]:
    """Make a console so wide: a terminal breaks the lines where a table cannot."""
    before = console.width
    console.width = max(before, width)
    try:
        yield
    finally:
        console.width = before


def _least_width(layout: Layout, column: int) -> int:
    """Letters that a column needs: for its longest word, or, if it is of numbers, its widest."""
    from rich.cells import cell_len

    header = layout.whole_header("\n")[column]
    cells = [*header.split("\n"), *(row[column] for row in layout.rows)]
    if _has_words(layout, column):
        cells = [word for cell in cells for word in cell.split()]
    return max(map(cell_len, cells), default=1)


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
    write(markdown(layout) + "\n")
