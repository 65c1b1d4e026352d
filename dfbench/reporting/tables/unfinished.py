"""Runs without a record: failed, timed out, interrupted or still running, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench.process.folder import TRACEBACK_FILE
from dfbench.records.record import Record
from dfbench.records.state import STATE_FILE, RunState, Subject, read_state
from dfbench.records.store import file_name, fit_key
from dfbench.reporting.cells import NONE
from dfbench.reporting.tables.columns import COUNT, WORDS, Column, Kind, Table
from dfbench.reporting.tables.layout import Layout

TITLE = "runs that did not finish"


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that has started and has no record."""

    folder: Path
    state: RunState

    @property
    def status(self) -> str:
        """`failed`, `timeout`, `skipped`, `running` or `interrupted`."""
        return "interrupted" if self.state.interrupted else self.state.status

    @property
    def place(self) -> Path:
        """Path with more information: the traceback if there is one, else the folder."""
        traceback = self.folder / TRACEBACK_FILE
        return traceback if traceback.is_file() else self.folder

    def is_of(
        self, methods: Iterable[str] = (), dataset: str | None = None, scenario: str | None = None
    ) -> bool:
        """Whether the run matches the methods (labels or names), the dataset and the scenario.

        An omitted argument matches everything. The state of an earlier version has no scenario and
        is matched by the names of its folders.
        """
        subject, methods = self.state.subject, tuple(methods)
        if subject is None:
            labels = {self.folder.name.rpartition("-s")[0]}
            here = dataset is None or file_name(dataset) == self.folder.parent.name
            right = here and scenario is None
            methods = tuple(map(file_name, methods))
        else:
            labels = {subject.method, subject.method.partition("[")[0]}
            right = dataset in (None, subject.dataset) and scenario in (None, subject.scenario)
        return right and (not methods or bool(labels & {*methods}))

    @property
    def names(self) -> tuple[str, str, str, str]:
        """Its method, dataset, scenario and seed; of an earlier version's state, from its path."""
        subject = self.state.subject
        if subject is None:
            return self.folder.name, self.folder.parent.name, NONE, NONE
        return subject.method, subject.dataset, subject.scenario, str(subject.seed)

    @property
    def summary(self) -> str:
        """Status, reason and path with more information."""
        subject = self.state.subject
        seed = f" on {subject.dataset}, {subject.scenario}, seed {subject.seed}" if subject else ""
        reason = f": {self.state.reason}" if self.state.reason else ""
        return f"{self.names[0]}{seed}: {self.status}{reason} (see {self.place})"


_SHOWN: tuple[Column[UnfinishedRun], ...] = (
    Column(lambda run: run.names[0], WORDS, "method"),
    Column(lambda run: run.names[1], WORDS, "dataset"),
    Column(lambda run: run.names[2], WORDS, "scenario"),
    Column(lambda run: run.names[3], WORDS, "seed"),
    Column(lambda run: run.status, WORDS, "state", ("status",)),
)
_COLUMNS: tuple[Column[UnfinishedRun], ...] = (
    Column(
        lambda run: run.state.subject, Kind(text=str, content=Subject.model_dump), key=("subject",)
    ),
    *_SHOWN,
    Column(lambda run: run.state.reason, WORDS, key=("reason",)),
    Column(lambda run: run.state.attempts, COUNT, key=("attempts",)),
    Column(lambda run: str(run.folder), WORDS, key=("folder",)),
    Column(lambda run: str(run.place), WORDS, key=("see",)),
)


def unfinished_runs(runs: Path, records: Iterable[Record]) -> list[UnfinishedRun]:
    """The runs below a folder that are not `done` and have no record, sorted."""
    recorded = {fit_key(record.fit_id) for record in records}
    found = []
    for file in runs.glob(f"*/*/{STATE_FILE}"):
        folder = file.parent
        state = None if folder.name.rpartition("-")[2] in recorded else read_state(folder)
        if state is not None and state.status != "done":
            found.append(UnfinishedRun(folder, state))
    return sorted(found, key=lambda one: (*one.names, one.status))


def counted(unfinished: Sequence[UnfinishedRun]) -> str:
    """`4 runs did not finish: 3 failed, 1 timeout`; empty if there are none."""
    if not unfinished:
        return ""
    parts = Counter(one.status for one in unfinished)
    count = f"{len(unfinished)} {'run' if len(unfinished) == 1 else 'runs'} did not finish"
    return f"{count}: {', '.join(f'{parts[status]} {status}' for status in sorted(parts))}"


def unfinished_layouts(unfinished: Sequence[UnfinishedRun]) -> list[Layout]:
    """The table of unfinished runs with their reasons; empty if there are none."""
    if not unfinished:
        return []
    notes = (
        counted(unfinished),
        *(one.summary for one in unfinished),
        "repeat a run with its command, or those of a suite with dfbench suite run FILE --retry "
        "all; runs that a suite skips are listed by dfbench suite status FILE",
    )
    return [_table(unfinished).layout(TITLE, notes, key="unfinished", text_columns=len(_SHOWN))]


def unfinished_content(unfinished: Sequence[UnfinishedRun]) -> list[dict[str, Any]]:
    """The unfinished runs as JSON."""
    return _table(unfinished).json


def _table(unfinished: Sequence[UnfinishedRun]) -> Table[UnfinishedRun]:
    return Table(_COLUMNS, _SHOWN, {"": unfinished})
