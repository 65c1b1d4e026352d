"""`python -m benchmarks.perf` refreshes all committed figures, each with its own command."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PERF = Path(__file__).parents[2] / "benchmarks" / "perf"


@pytest.fixture
def refresh(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PERF.parents[1])  # the benchmarks are no part of the package
    return import_module("benchmarks.perf.__main__")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were started; those of `reading` fail."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, int("benchmarks.perf.reading" in command))

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_every_committed_figure_is_refreshed_or_said_to_need_more(refresh: ModuleType) -> None:
    found = {file.stem.partition("-")[0] for file in PERF.glob("*.json")}
    assert found == {*refresh.OPTIONS, *refresh.ELSEWHERE}


def test_options_are_those_that_the_benchmark_has(refresh: ModuleType) -> None:
    for name in refresh.OPTIONS:
        text = (PERF / f"{name}.py").read_text(encoding="utf-8")
        options = [w for w in refresh.command_of(name, PERF) if w.startswith("--")]
        assert "--json" in options
        for option in options:
            assert f'"{option}"' in text or f'"{option.removeprefix("--")}"' in text


def test_named_benchmarks_run_in_turn_and_a_failure_stops_none(
    refresh: ModuleType,
    started: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["perf", "reading", "ranking", "--out", str(tmp_path)])
    assert refresh.main() == 1
    assert [command[2] for command in started] == [
        "benchmarks.perf.reading",
        "benchmarks.perf.ranking",
    ]
    assert str(tmp_path / "ranking.json") in started[1]
    assert "failed, with their figures as they were: reading" in capsys.readouterr().err


def test_unknown_benchmark_is_refused(
    refresh: ModuleType, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["perf", "rankings"])
    with pytest.raises(SystemExit, match="2"):
        refresh.main()
    assert not started
