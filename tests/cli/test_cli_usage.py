"""A command line that no command understands: one line that names the help, status 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import CommandLine


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "said", "see"),
    [
        (("rn",), "no such command 'rn'. Did you mean 'run'?", "dfbench --help"),
        (("list", "metods"), "no such command 'metods'", "dfbench list --help"),
        (("run", "--methd", "x"), "no such option '--methd'", "dfbench run --help"),
        (("describe",), "missing argument 'METHOD'", "dfbench describe --help"),
        (("evaluate",), "missing option '--", "dfbench evaluate --help"),
        (("completion",), "Choose from: bash, zsh, fish", "dfbench completion --help"),
        (("table", "tabel"), "'tabel' is not one of", "dfbench table --help"),
        (("suite", "run"), "missing argument", "dfbench suite run --help"),
        (("table", "a", "b"), "'a' is not one of", "dfbench table --help"),
        (("run", "--seed", "-1"), "invalid value for '--seed': -1", "dfbench run --help"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(
    arguments: tuple[str, ...], said: str, see: str, command_line: CommandLine
) -> None:
    finished = command_line.call(*arguments)
    assert said in finished.refused()
    told = finished.err.replace("\n", " ").rstrip()
    assert told.endswith(f"{see.removeprefix('dfbench')})"), "of the program as it was called"
    assert "Usage:" not in finished.err


@pytest.mark.parametrize("group", ["plot", "suite", "teachers", "list"])
def test_group_without_a_command_lists_its_commands(group: str, command_line: CommandLine) -> None:
    finished = command_line.call(group)
    assert f"dfbench {group}" in finished.out + finished.err
    assert "Commands" in finished.out + finished.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--dataset", "shapes"), "no --method; allowed: NAME or NAME[VARIANT]"),
        (("run", "--method", "crossx"), "no --dataset; allowed: --dataset NAME, or without"),
        (
            ("run", "--method", "crossx", "--dataset", "shapes", "--set", "round=1"),
            "(see: dfbench describe crossx)",
        ),
        (
            ("run", "--method", "crossx[bn]", "--dataset", "shapes", "--set", "round=1"),
            "(see: dfbench describe crossx)",
        ),
        (
            ("run", "--method", "crossx", "--dataset", "shapes", "--set", "budget.step=1"),
            "(see: dfbench describe METHOD)",
        ),
        (("describe", "crossx", "--plugin", "gone.py"), "allowed: the path of a Python file"),
    ],
)
def test_message_names_a_command_that_works(
    arguments: tuple[str, ...], said: str, command_line: CommandLine
) -> None:
    assert said in command_line.call(*arguments).refused()
