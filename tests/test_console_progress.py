from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from dfbench import console


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What a person sees."""
    screen = StringIO()
    monkeypatch.setattr(
        console, "messages", lambda: Console(file=screen, force_terminal=True, width=100)
    )
    return screen


@pytest.mark.parametrize(("after", "shown"), [(0.0, True), (1e-9, True), (3600.0, False)])
def test_bar_shows_only_if_the_work_takes_long(
    after: float, shown: bool, terminal: StringIO
) -> None:
    with console.progress("counting", 2, after=after) as advance:
        advance(1)
        advance(1)
    assert ("counting" in terminal.getvalue()) is shown
    assert ("2/2" in terminal.getvalue()) is shown
