"""Tables on narrow terminals keep the names of their rows."""

from __future__ import annotations

import pytest
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.printing import print_layouts
from dfbench.system.console import output

WIDE = Layout(
    title="narrow",
    header=("method", *(f"number {i}" for i in range(8)), "needs"),
    rows=(("Uni-Modal Distillation", *[".703 ± .011"] * 8, "modality classifier"),),
    notes=("a note",),
    content={},
)


def test_names_of_rows_are_there_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_layouts([WIDE], "text")
    printed = capsys.readouterr().out
    for word in ("method", "Uni-Modal", "Distillation", "modality", "classifier"):
        assert word in printed
    assert printed.count(".703 ± .011") == 8


def _layout(*rows: tuple[str, ...], header: tuple[str, ...] = ("name", "score", "note")) -> Layout:
    return Layout("title", header, rows, (), {}, 1)


UNUSUAL = {
    "empty cells": _layout(("", "", ""), ("a", "", "-")),
    "wide letters": _layout(("日本語の名前 と名前", ".5", "写真"), ("é̂", "1.000", "x")),
    "tabs and lines": _layout(("a\tb", ".5", "c\nd"), ("e", ".25 ", " f")),
    "control characters": _layout(("a\x07b", ".5\x0b", "c\x1b[31md")),
    "no-break spaces": _layout(("a\xa0b\u200bc", ".5", "d\u2003e")),
    "markup": _layout(("[bold]a[/]", ":smile:", "'1'")),
    "one column": Layout("title", ("only",), (("a word and another",), ("b",)), (), {}, 1),
    "spans": Layout(
        *("title", ("method", "a", "b"), (("m", ".1", ".2"),), (), {}, 1),
        spans=(("", 1), ("both of them", 2)),
    ),
    "no rows": _layout(),
}


def _drawn_by_rich(layout: Layout) -> None:
    """The table with rich's own padding and measures, for columns that need no least width."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(layout.whole_header("\n")):
        table.add_column(Text(name), justify=layout.alignment()[place], no_wrap=False)
    for row in layout.rows:
        table.add_row(*map(Text, row))
    output().print(Text(layout.title, style="bold"))
    output().print(table)
    output().print()


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("name", UNUSUAL)
def test_cells_are_drawn_as_rich_draws_them(
    name: str, colour: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    if colour:
        monkeypatch.setenv("FORCE_COLOR", "1")
    _drawn_by_rich(UNUSUAL[name])
    expected = capsys.readouterr().out
    print_layouts([UNUSUAL[name]], "text")
    assert capsys.readouterr().out == expected
    assert ("\x1b[1m" in expected) is colour


@pytest.mark.parametrize("width", range(44, 90, 5))
def test_long_texts_are_folded_as_rich_folds_them(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "a text of many short words that is longer than most terminals are wide, or 写真"
    layout = Layout("title", ("name", "text"), ((words, words[:31]), ("b", words)), (), {}, 2)
    monkeypatch.setenv("COLUMNS", str(width))
    _drawn_by_rich(layout)
    expected = capsys.readouterr().out
    print_layouts([layout], "text")
    assert capsys.readouterr().out == expected
