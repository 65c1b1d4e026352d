"""Records with the run folders they came from, made up query by query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bench import CommandLine, Finished
from synthetic import METRICS, synthetic_record

from dfbench.records.record import Record
from dfbench.records.store import ResultStore, run_folder

QUERIES = 10
SEEDS = (0, 1, 2)
_BASE = np.linspace(0.3, 0.6, QUERIES)
_WOBBLE = 0.01 * np.array([1, -1] * (QUERIES // 2))


class Shelf(CommandLine):
    """A results folder, a folder of runs, and the command line upon them."""

    @property
    def records(self) -> list[Record]:
        """All records."""
        return list(ResultStore(self.results))

    def add(
        self,
        label: str,
        gain: float,
        posterior: float | None = None,
        *,
        seed: int = 0,
        skipped: tuple[int, ...] = (),
        **more: Any,
    ) -> Record:
        """A run whose queries score `gain` above a common base, more or less, by either one.

        Queries of the places `skipped` have no photo.
        """
        values = {"": gain} if posterior is None else {"": gain, "posterior": posterior}
        scores = {representation: _queries(level, seed) for representation, level in values.items()}
        for column in scores.values():
            column[list(skipped)] = np.nan
        means = {
            representation: float(np.nanmean(column)) for representation, column in scores.items()
        }
        record = synthetic_record(
            label, value=means[""], posterior=means.get("posterior"), seed=seed, **more
        )
        ResultStore(self.results).write(record)
        folder = run_folder(self.runs, record.data.name, label, seed, record.fit_id)
        folder.mkdir(parents=True, exist_ok=True)
        for representation, column in scores.items():
            suffix = f"-{representation}" if representation else ""
            np.savez(folder / f"per_query{suffix}.npz", **dict.fromkeys(METRICS, column))
        return record

    def add_seeds(
        self, label: str, gain: float, posterior: float | None = None, **more: Any
    ) -> None:
        """Three seeds of it."""
        for seed in SEEDS:
            self.add(label, gain, posterior, seed=seed, **more)

    def folder(self, record: Record) -> Path:
        """Where a run left its values."""
        return run_folder(
            self.runs, record.data.name, record.method.label, record.seed, record.fit_id
        )

    def call(self, *arguments: str) -> Finished:
        """A verb, with the folders it takes."""
        places = ["--results", str(self.results)]
        if arguments[0] == "compare":
            places += ["--runs", str(self.runs)]
            places += [] if "--resamples" in arguments else ["--resamples", "300"]
        return super().call(*arguments, *places)


def _queries(level: float, seed: int) -> npt.NDArray[np.float64]:
    """`[QUERIES]`: a base that all runs share, a level, and what the seed adds, of mean 0."""
    return np.asarray(_BASE + level + (1 + seed) * _WOBBLE * level)
