from __future__ import annotations

import pytest

from dfbench.system import console


def test_messages_show_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.note("folder:cat: [bold] ends in \\")
    console.error("class ':dog:' [red] is /a/b\\")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "folder:cat: [bold] ends in \\",
        "error: class ':dog:' [red] is /a/b\\",
    ]


def test_long_messages_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.error("word " * 200)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("counting", 3) as advance:
        for _ in range(3):
            advance(1)
    assert capsys.readouterr() == ("", "")


def test_json_refuses_what_is_none() -> None:
    with pytest.raises(ValueError, match="JSON"):
        console.print_json({"a": float("nan")})
