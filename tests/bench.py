"""The command line with folders of its own, as tests use it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

BENCHMARK = ("boat", "cup", "sun")
ALTERNATIVE = ("house", "key")
TINY = {
    "teachers.network": "resnet-tiny",
    "teachers.steps": "2",
    "teachers.alternative_steps": "2",
    "teachers.modality_steps": "2",
    "teachers.batch_size": "16",
    "budget.steps": "4",
    "budget.batch_size": "8",
    "budget.queue_size": "20",
    "budget.embedding_dim": "16",
}
"""Settings of teachers and budget that train for a moment."""
TINY_CROSSX = {"rounds": "2", "estimator_steps": "4", "estimator_batch": "8"}


def stored_embeddings(folder: Path) -> dict[str, Any]:
    """Embeddings `[N, D]` of a run's folder by modality, in the dataset's order."""
    stored = load_file(folder / "embeddings.safetensors")
    with np.load(folder / "labels.npz") as labels:
        return {m: rows[np.argsort(labels[f"{m}_order"])] for m, rows in stored.items()}


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    def refused(self) -> str:
        """The one line of an error that exits with status 2."""
        lines = [line for line in self.err.splitlines() if line.startswith("error:")]
        assert self.status == 2, self.err
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


@dataclass(frozen=True)
class CommandLine:
    """The command line in this process, with folders of its own."""

    place: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def results(self) -> Path:
        """Folder of records."""
        return self.place / "results"

    @property
    def runs(self) -> Path:
        """Folder of heavy things."""
        return self.place / "runs"

    def call(self, *arguments: str) -> Finished:
        """One command."""
        from dfbench.cli import main

        self.monkeypatch.setattr(sys, "argv", ["dfbench", *arguments])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capsys.readouterr()
        status = ended.value.code
        return Finished(status if isinstance(status, int) else 0, out, err)


@dataclass(frozen=True)
class Bench(CommandLine):
    """A command line that makes tiny runs; data and cache are shared."""

    pictures: Path
    cache: Path

    def arguments(self, method: str, *extra: str) -> list[str]:
        """Arguments of a tiny run of one row on the drawn folder."""
        settings = dict(TINY)
        if method.startswith("crossx"):
            settings |= TINY_CROSSX
        pairs = [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]
        return [
            *("run", "--method", method, "--dataset", f"folder:{self.pictures}", "--alone"),
            *("--classes", ",".join(BENCHMARK), "--alternative-classes", ",".join(ALTERNATIVE)),
            *("--device", "cpu", "--threads", "1", "--cache", str(self.cache)),
            *("--results", str(self.results), "--runs", str(self.runs), *pairs, *extra),
        ]

    def run(self, method: str, *extra: str) -> Finished:
        """A tiny run of one row on the drawn folder."""
        return self.call(*self.arguments(method, *extra))

    def record(self, method: str, *extra: str) -> dict[str, Any]:
        """The record of a tiny run that has to succeed."""
        finished = self.run(method, "--format", "json", *extra)
        assert finished.status == 0, finished.err
        record: dict[str, Any] = finished.json
        return record

    def plugin(self, text: str, name: str = "someplugin") -> Path:
        """A plugin file of this text."""
        file = self.place / f"{name}.py"
        file.write_text(text, encoding="utf-8")
        return file
