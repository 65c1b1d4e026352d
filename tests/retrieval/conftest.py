"""A gallery of a person's own, and a run that searches it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench import BENCHMARK, CommandLine
from stand_in import stand_in_run

from dfbench.records.record import Record


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """Folder and record of a run, not to be changed."""
    return stand_in_run(tmp_path_factory.mktemp("made"))


@pytest.fixture
def own_photos(pictures: Path, tmp_path: Path) -> Path:
    """Nine photos in folders and folders of folders, one of them twice."""
    root = tmp_path / "own photos"
    for name in BENCHMARK:
        for number in range(3):
            target = root / "holiday" / name / f"{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(pictures / "photo" / name / f"{number}.png", target)
    shutil.copy(root / "holiday" / "cup" / "0.png", root / "again.PNG")
    return root


@pytest.fixture
def line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """The command line with folders of its own."""
    return CommandLine(tmp_path, monkeypatch, capsys)
