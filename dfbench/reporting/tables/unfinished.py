"""Runs that have no record: failed, timed out, broken off or still going, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench.process.messages import TRACEBACK_FILE
from dfbench.records.record import Record
from dfbench.records.state import STATE_FILE, RunState, read_state
from dfbench.records.store import file_name, fit_key
from dfbench.reporting.cells import NONE
from dfbench.reporting.tables.layout import Layout

_HEADER = ("method", "dataset", "scenario", "seed", "state")
TITLE = "runs that did not finish"


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that was begun and has no record."""

    folder: Path
    state: RunState

    @property
    def status(self) -> str:
        """`failed`, `timeout`, `skipped`, `running` or `interrupted`."""
        return "interrupted" if self.state.interrupted else self.state.status

    @property
    def place(self) -> Path:
        """Where more is known of it: its traceback, else its folder."""
        traceback = self.folder / TRACEBACK_FILE
        return traceback if traceback.is_file() else self.folder

    def is_of(
        self, rows: Iterable[str] = (), dataset: str | None = None, scenario: str | None = None
    ) -> bool:
        """Whether it is of one of the rows (labels or names of methods), the dataset and scenario.

        What is not given is not asked for. A state of an earlier version tells no more than the
        names of its folders: it is of no scenario.
        """
        subject, rows = self.state.subject, tuple(rows)
        if subject is None:
            labels = {self.folder.name.rpartition("-s")[0]}
            here = dataset is None or file_name(dataset) == self.folder.parent.name
            right = here and scenario is None
            rows = tuple(map(file_name, rows))
        else:
            labels = {subject.method, subject.method.partition("[")[0]}
            right = dataset in (None, subject.dataset) and scenario in (None, subject.scenario)
        return right and (not rows or bool(labels & {*rows}))

    @property
    def cells(self) -> tuple[str, ...]:
        """As a line of a table."""
        subject = self.state.subject
        if subject is None:
            names = (self.folder.name, self.folder.parent.name, NONE, NONE)
        else:
            names = (subject.method, subject.dataset, subject.scenario, str(subject.seed))
        return (*names, self.status)

    @property
    def told(self) -> str:
        """What became of it, why, and where more is known."""
        subject = self.state.subject
        seed = f" on {subject.dataset}, {subject.scenario}, seed {subject.seed}" if subject else ""
        reason = f": {self.state.reason}" if self.state.reason else ""
        return f"{self.cells[0]}{seed}: {self.status}{reason} (see {self.place})"

    @property
    def content(self) -> dict[str, Any]:
        """As `--format json` prints it."""
        subject = self.state.subject
        return {
            "subject": subject.model_dump() if subject else None,
            "status": self.status,
            "reason": self.state.reason,
            "attempts": self.state.attempts,
            "folder": str(self.folder),
            "see": str(self.place),
        }


def unfinished_runs(runs: Path, records: Iterable[Record]) -> list[UnfinishedRun]:
    """The runs below a folder whose state is not `done` and which no record is of, sorted."""
    recorded = {fit_key(record.fit_id) for record in records}
    found = []
    for file in runs.glob(f"*/*/{STATE_FILE}"):
        folder = file.parent
        state = None if folder.name.rpartition("-")[2] in recorded else read_state(folder)
        if state is not None and state.status != "done":
            found.append(UnfinishedRun(folder, state))
    return sorted(found, key=lambda one: one.cells)


def counted(unfinished: Sequence[UnfinishedRun]) -> str:
    """`4 runs did not finish: 3 failed, 1 timeout`; empty for none."""
    if not unfinished:
        return ""
    parts = Counter(one.status for one in unfinished)
    count = f"{len(unfinished)} {'run' if len(unfinished) == 1 else 'runs'} did not finish"
    return f"{count}: {', '.join(f'{parts[status]} {status}' for status in sorted(parts))}"


def unfinished_layouts(unfinished: Sequence[UnfinishedRun]) -> list[Layout]:
    """The table of unfinished runs with their reasons; none for none."""
    if not unfinished:
        return []
    notes = (
        counted(unfinished),
        *(one.told for one in unfinished),
        "the command of a run does it again, and dfbench suite run FILE --retry all those of a "
        "suite; what a suite skips has no state: dfbench suite status FILE",
    )
    rows = tuple(one.cells for one in unfinished)
    content = {"unfinished": [one.content for one in unfinished]}
    return [Layout(TITLE, _HEADER, rows, notes, content, text_columns=len(_HEADER))]
