"""Tables as text, drawn by rich."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from dfbench.reporting.tables.layout import Layout
from dfbench.system.console import output, print_line
from dfbench.system.streams import printable

_GAP = 3
"""Spaces between two columns."""
_WORD = re.compile(r"[a-z]{2}")


def print_texts(layouts: Sequence[Layout]) -> None:
    """Print tables with their titles and notes, in one piece."""
    console = output()
    with console:
        for layout in layouts:
            _print(_printable(layout), console)


class _Cell:
    """A text in a column, with the spaces to its left and right.

    Most texts fit in one line: they become that line, at a quarter of the cost of rich's padding
    and wrapping, which take the others.
    """

    def __init__(self, text: str, left: int, right: int) -> None:
        self._text = text
        self._left = left
        self._right = right

    @property
    def _wrapped(self) -> Padding:
        return Padding(Text(self._text), (0, self._right, 0, self._left))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        if not self._text.isprintable():
            return Measurement.get(console, options, self._wrapped)
        around = self._left + self._right
        word = max(map(cell_len, self._text.split()), default=0)
        return Measurement(word + around, cell_len(self._text) + around)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self._text.rstrip() if options.justify == "right" else self._text
        room = options.max_width - self._left - self._right - cell_len(text)
        if room < 0 or not text.isprintable():
            yield self._wrapped
            return
        yield Segment(" " * self._left)
        yield Segment(" " * room + text if options.justify == "right" else text + " " * room)
        yield Segment(" " * self._right)


def _print(layout: Layout, console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    header = layout.whole_header("\n")
    last = len(header) - 1
    around = [(int(column > 0), int(column < last)) for column in range(len(header))]
    width = _GAP
    for column, (name, side) in enumerate(zip(header, layout.alignment(), strict=True)):
        cells = [row[column] for row in layout.rows]
        words = column < layout.text_columns or any(map(_WORD.search, cells))
        least = _least_width([*name.split("\n"), *cells], words=words)
        table.add_column(
            _Cell(name, *around[column]),
            justify=side,
            no_wrap=not words,
            min_width=least + sum(around[column]),
        )
        width += least + _GAP
    for heading, places in layout.parts():
        if heading:
            title = Text(heading, style="italic")
            blank = (_Cell("", 0, 0) for _ in range(last))
            table.add_row(Padding(title, (0, around[0][1], 0, 0)), *blank)
        for place in places:
            texts = zip(layout.rows[place], around, strict=True)
            table.add_row(*(_Cell(text, *spaces) for text, spaces in texts))
        table.add_section()
    print_line(console, Text(layout.title, style="bold"))
    with _at_least(width, console):
        console.print(table)
    for line in layout.notes:
        print_line(console, Text(line, style="dim"))
    console.print()


def _printable(layout: Layout) -> Layout:
    """The table in characters that standard output can encode, so that columns keep their width."""
    texts = (
        *(layout.title, *layout.header, *layout.notes),
        *(cell for row in layout.rows for cell in row),
        *(title for title, _ in (*layout.sections, *layout.spans)),
    )
    whole = "\n".join(texts)
    if printable(whole) == whole:
        return layout
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


def _least_width(texts: Sequence[str], *, words: bool) -> int:
    """Minimum width of a column: its widest word, or its widest line if it holds numbers."""
    pieces = [word for text in texts for word in text.split()] if words else texts
    return max(map(cell_len, pieces), default=1)
