"""Tables on narrow terminals keep the names of their rows."""

from __future__ import annotations

import pytest

from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.printing import print_layouts

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
