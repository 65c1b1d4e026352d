"""A table as data, and its three faces: terminal, Markdown, JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dfbench.console import output, print_json


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

    def alignment(self) -> list[Literal["left", "right"]]:
        """Alignment of each column."""
        words = min(self.text_columns, len(self.header))
        return [*["left"] * words, *["right"] * (len(self.header) - words)]  # type: ignore[list-item]  # literals widen in a display


def print_layouts(layouts: list[Layout], form: str) -> None:
    """Print tables as `text`, `markdown` or `json`."""
    if form == "json":
        print_json([layout.content for layout in layouts])
        return
    show = _markdown if form == "markdown" else _text
    for layout in layouts:
        show(layout)


def _text(layout: Layout) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = Text(layout.title, style="bold")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name, side in zip(layout.header, layout.alignment(), strict=True):
        table.add_column(Text(name), justify=side, no_wrap=side == "right")
    for row in layout.rows:
        table.add_row(*map(Text, row))
    console = output()
    console.print(table)
    for line in layout.notes:
        console.print(Text(line, style="dim"))
    console.print()


def markdown(layout: Layout) -> str:
    """A table as Markdown: heading, body, notes as a list."""
    from tabulate import tabulate

    body = tabulate(
        [list(row) for row in layout.rows],
        list(layout.header),
        tablefmt="github",
        colalign=layout.alignment(),
        disable_numparse=True,
    )
    notes = [f"- {line}" for line in layout.notes]
    return "\n".join([f"### {layout.title}", "", body, "", *notes, ""])


def _markdown(layout: Layout) -> None:
    output().print(markdown(layout), markup=False, soft_wrap=True)
