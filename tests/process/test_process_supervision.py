from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dfbench.process.supervision import Supervision, supervise

_PRINT = "import os; print(os.environ['MALLOC_MMAP_MAX_'])"


def _printed(tmp_path: Path, **environment: str) -> str:
    log = tmp_path / f"{len(environment)}.txt"
    command = [sys.executable, "-c", _PRINT]
    supervise(command, Supervision(log=log, environment=environment), lambda: None)
    return log.read_text().strip()


def test_process_keeps_freed_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    assert _printed(tmp_path) == "0"


def test_environment_of_the_user_wins_over_the_memory_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "65536")
    assert _printed(tmp_path) == "65536"
    assert _printed(tmp_path, MALLOC_MMAP_MAX_="7") == "7"
