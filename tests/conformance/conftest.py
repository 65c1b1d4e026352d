"""The kit keeps its drawings and teachers where the other tests keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def kit_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFBENCH_CACHE", str(cache))
    return cache
