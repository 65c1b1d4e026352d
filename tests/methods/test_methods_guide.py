"""The guide to writing a method can be followed to the letter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).resolve().parents[2] / "plugins" / "README.md"


def test_first_method_of_the_guide_runs(quick_bench: Any, tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    file = tmp_path / "untrained.py"
    file.write_text(block[1], encoding="utf-8")
    record = quick_bench.record("untrained", "--plugin", str(file))
    assert record["row"]["title"] == "Untrained"
    assert 0 < record["metrics"]["map@all"]["value"] < 1
