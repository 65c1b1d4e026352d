from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from dfbench.system import console


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


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def test_work_without_a_terminal_is_told_at_its_begin_once_a_minute_and_at_its_end(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("counting", 20) as advance:
        for _ in range(20):
            clock.now += 10
            advance(1)
    assert capsys.readouterr().err.splitlines() == [
        "counting: 1 of 20",
        "counting: 7 of 20, about 2 min left",
        "counting: 13 of 20, about 1 min left",
        "counting: 19 of 20, about 10 s left",
        "counting: done in 3 min",
    ]


def test_remaining_time_does_not_count_what_an_earlier_process_did(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("fitting", 1000) as advance:
        advance(900)
        clock.now += 10
        advance(10)
    assert "fitting: 910 of 1000, about 2 min left" in capsys.readouterr().err


def test_work_of_unknown_size_is_told_too(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with console.transfer("CIFAR-10", None) as advance:
        clock.now += 5
        advance(2_500_000)
    assert capsys.readouterr().err.splitlines() == ["CIFAR-10: 2.5 MB", "CIFAR-10: done in 5 s"]


def test_short_work_and_broken_work_have_no_end_line(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    def count(seconds: float) -> None:
        with console.progress("counting", 2) as advance:
            clock.now += seconds
            advance(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        count(1)
    assert capsys.readouterr().err == ""
    with pytest.raises(ZeroDivisionError):
        count(5)
    assert "done" not in capsys.readouterr().err


def test_dumb_terminal_gets_lines_instead_of_a_bar(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = StringIO()
    monkeypatch.setenv("TERM", "dumb")
    dumb = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(console, "messages", lambda: dumb)
    with console.progress("counting", 2) as advance:
        clock.now += 5
        advance(1)
    assert screen.getvalue().splitlines()[0] == "counting: 1 of 2"
