"""The command line upon seven classes, each of a grey level of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import TINY, Bench, Finished

BENCHMARK = ("ant", "bee", "cat", "dog", "eel")
ALTERNATIVE = ("fox", "gnu")
LEVELS = {name: 30 * (1 + place) for place, name in enumerate((*BENCHMARK, *ALTERNATIVE))}
"""What an image shows: it tells its class."""
IMAGES = 8
"""Of each class and modality."""


@dataclass(frozen=True)
class ZooBench:
    """The command line upon that folder."""

    bench: Bench
    zoo: Path

    def arguments(self, method: str, scenario: str, *extra: str) -> list[str]:
        """Arguments of a tiny run of one row."""
        pairs = [part for k, v in TINY.items() for part in ("--set", f"{k}={v}")]
        bench = self.bench
        return [
            *("run", "--method", method, "--dataset", f"folder:{self.zoo}", "--alone"),
            *("--classes", ",".join(BENCHMARK), "--alternative-classes", ",".join(ALTERNATIVE)),
            *("--device", "cpu", "--threads", "1", "--cache", str(bench.cache)),
            *("--results", str(bench.results), "--runs", str(bench.runs)),
            *("--scenario", scenario, *pairs, *extra),
        ]

    def run(self, method: str, scenario: str, *extra: str) -> Finished:
        """A tiny run of one row."""
        return self.bench.call(*self.arguments(method, scenario, *extra))

    def record(self, method: str, scenario: str, *extra: str) -> dict[str, Any]:
        """The record of a tiny run that has to succeed."""
        finished = self.run(method, scenario, "--format", "json", *extra)
        assert finished.status == 0, finished.err
        record: dict[str, Any] = finished.json
        return record
