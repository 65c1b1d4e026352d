from __future__ import annotations

from pathlib import Path

import pytest
from shelf import Shelf


@pytest.fixture
def shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shelf:
    """Empty folders of records and runs."""
    return Shelf(tmp_path, monkeypatch, capsys)
