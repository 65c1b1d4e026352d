"""Output of tables: to the terminal, or as Markdown, LaTeX, HTML or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from dfbench.reporting.tables.layout import Layout
from dfbench.system.console import output, print_json, print_line, write
from dfbench.system.streams import Output, printable

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 3
"""Spaces between two columns."""
_WORD = re.compile(r"[a-z]{2}")
_MARKUP = re.compile(r"[\\|<*`]")


def print_layouts(layouts: list[Layout], form: str) -> None:
    """Print tables as `text`, `markdown`, `latex`, `html` or `json`."""
    if form == "json":
        print_json([layout.json for layout in layouts])
    elif form == "html":
        from dfbench.reporting.tables.markup import html

        encoding = Output().encoding
        write(html(layouts).encode(encoding, "xmlcharrefreplace").decode(encoding) + "\n")
    elif form == "latex":
        from dfbench.reporting.tables.markup import latex

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
    """The table in characters that standard output can encode, so that columns keep their width."""
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
    """Give a console at least this width: the terminal wraps lines that a table cannot."""
    before = console.width
    console.width = max(before, width)
    try:
        yield
    finally:
        console.width = before


def _least_width(layout: Layout, column: int) -> int:
    """Minimum width of a column: its longest word, or its widest cell if it holds numbers."""
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
    """A table as Markdown: heading, body and a list of notes; sections start with an italic row."""
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
    """Text escaped for Markdown, on one line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _markdown(layout: Layout) -> None:
    write(markdown(layout) + "\n")
