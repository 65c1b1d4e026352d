"""Numbers that papers printed, shipped as data with their source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """What one paper printed for one method on one dataset."""

    source: str
    values: dict[str, float]
    """By metric."""


def published(dataset: str, scenario: str) -> dict[str, Published]:
    """Published numbers on a dataset by method name; empty where there are none."""
    found: dict[str, Published] = {}
    folder = files("dfbench_benchmarks") / "reported"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        paper = tomllib.loads(file.read_text(encoding="utf-8"))
        if paper["scenario"] != scenario:
            continue
        for method, values in paper.get(dataset, {}).items():
            numbers = dict(zip(paper["metrics"], values, strict=True))
            found[method] = Published(paper["source"], numbers)
    return found
