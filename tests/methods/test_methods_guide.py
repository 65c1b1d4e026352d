"""The guide to writing a method can be followed to the letter."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dfbench import hookspecs
from dfbench.method import Need, Setting

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))
PLUGINS = {name: text for name, text in BLOCKS.items() if "dfbench_methods" in text}
RUN_ELSEWHERE = {
    *("test_untrained.py", "use.py", "stripes.py"),
    *("two_layers.py", "reciprocal.py", "centred.py"),
}
"""Blocks that are no methods: tests/guide runs them."""


def test_every_python_block_of_the_guide_is_a_file_that_a_test_runs() -> None:
    assert len(BLOCKS) == TEXT.count("```python") > 1
    assert BLOCKS.keys() - PLUGINS.keys() == RUN_ELSEWHERE


@pytest.mark.parametrize("name", PLUGINS)
def test_methods_of_the_guide_run(quick_bench: Any, tmp_path: Path, name: str) -> None:
    files = []
    for other, text in PLUGINS.items():
        (tmp_path / other).write_text(text, encoding="utf-8")
        files += ["--plugin", str(tmp_path / other)]
    method = Path(name).stem
    record = quick_bench.record(method, *files)
    assert record["method"]["title"] == method.title()
    assert 0 < record["metrics"]["map@all"]["value"] < 1


def test_guide_lists_every_need_with_the_call_that_gives_it() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `setting\.(\w+)", TEXT, re.MULTILINE)
    assert {need for need, _ in rows} == {need.name for need in Need}
    assert all(hasattr(Setting, call) for _, call in rows)


def test_guide_names_every_hook() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("dfbench_")]
    assert hooks
    assert all(f"`{hook}`" in TEXT for hook in hooks)


def test_packaging_example_uses_the_entry_point_group() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert list(tomllib.loads(block)["project"]["entry-points"]) == ["dfbench"]
