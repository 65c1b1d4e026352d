"""The state of a run, kept in its folder under a lock: running, or how it ended and why."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dfbench.errors import DfbenchError, InvalidInput, ProcessEnded, RunTimeout
from dfbench.process.folder import JOB_FILE
from dfbench.scenarios import CLOSED
from dfbench.system.file_errors import FileFault
from dfbench.system.files import atomic_path
from dfbench.system.locks import FileLock, is_locked

LOCK_FILE = ".lock"


class RunLock(FileLock):
    """The lock on a run's folder, inherited by the process that fits.

    A run counts as running as long as this process or that one lives.
    """

    def __init__(self, folder: Path, stop: threading.Event | None = None) -> None:
        waiting = f"another process is executing this run; waiting for it ({folder})"
        super().__init__(folder / LOCK_FILE, waiting, stop)


def held(folder: Path) -> bool:
    """Whether a process is working in the folder of a run."""
    return is_locked(folder / LOCK_FILE)


STATE_FILE = "state.json"
_MOST_NAMED = 8
_MOST_MARKS = 4
Status = Literal["running", "done", "failed", "timeout", "skipped"]
_GONE = (
    "its process is gone (killed, crashed, or the machine restarted); repeat the same command to "
    "resume from its last checkpoint"
)
_INTERRUPTED = "interrupted; repeat the same command to resume from its last checkpoint"


def run_title(what: str, dataset: str, scenario: str, seed: int) -> str:
    """What runs, in one line for messages; the scenario is said unless it is `closed`."""
    place = dataset if scenario == CLOSED else f"{dataset}, {scenario}"
    return f"{what} on {place}, seed {seed}"


class Subject(BaseModel):
    """The run that a state belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    method: str
    """Label of the method."""
    dataset: str
    scenario: str
    seed: int

    @property
    def title(self) -> str:
        """One line for messages."""
        return run_title(self.method, self.dataset, self.scenario, self.seed)


class RunState(BaseModel):
    """The state of a run, apart from its record."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    schema_version: Literal[1] = 1
    status: Status
    reason: str | None = None
    """Why it is not done."""
    interrupted: bool = False
    """Whether it was interrupted rather than failed: it counts as missing."""
    attempts: int = 1
    """Number of attempts."""
    started: str | None = None
    """When the last attempt began, ISO 8601, UTC."""
    ended: str | None = None
    """When the last attempt ended, ISO 8601, UTC."""
    seconds: float | None = None
    """Wall time of the last attempt."""
    peak_memory_mib: float | None = None
    """Peak memory of the process of the last attempt, if known."""
    subject: Subject | None = None
    """The run; None in states of earlier versions and of fits without test images."""


def several_runs(named: str, folders: Sequence[Path]) -> InvalidInput:
    """The error for a name that several runs have, with what tells these apart."""
    facts = [_facts(folder) for folder in folders]
    keys = {key: None for fact in facts for key in fact}
    telling = [key for key in keys if len({repr(fact.get(key)) for fact in facts}) > 1]
    told = []
    for folder, fact in list(zip(folders, facts, strict=True))[:_MOST_NAMED]:
        marks = ", ".join(f"{key}={fact[key]}" for key in telling[:_MOST_MARKS] if key in fact)
        told.append(f"{folder.name} ({marks})" if marks else folder.name)
    more = ", ..." if len(folders) > _MOST_NAMED else ""
    return InvalidInput(
        f"{len(folders)} runs match {named!r}: {', '.join(told)}{more}; allowed: the beginning of "
        "one of these names or identities"
    )


def _facts(folder: Path) -> dict[str, object]:
    """What a run is, as far as the files in its folder say."""
    state = _stored(folder)
    facts: dict[str, object] = state.subject.model_dump() if state and state.subject else {}
    with suppress(OSError, ValueError, KeyError, TypeError):  # no job is left, or an older one
        job = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        facts |= job["method"]["config"]
        facts |= {f"budget.{key}": value for key, value in job["budget"].items()}
    return facts


@dataclass
class Attempting:
    """A run in progress."""

    number: int
    """1 for the first attempt."""
    peak_memory_mib: float | None = None
    """Peak memory, set by the code that measures it."""
    elsewhere: RunState | None = None
    """Final state on the machine that executed it, if that was another one."""


def read_state(folder: Path) -> RunState | None:
    """The state of the run in a folder; None if none was started there.

    A run that is stored as running but has no process is reported as failed and interrupted.
    """
    state = _stored(folder)
    if state is None or state.status != "running" or held(folder):
        return state
    now = _stored(folder)
    if now != state:  # it ended or restarted while the lock was checked
        return now
    return state.model_copy(update={"status": "failed", "reason": _GONE, "interrupted": True})


def write_state(folder: Path, state: RunState) -> None:
    """Store the state of the run in a folder. Raises `FileFault`."""
    with atomic_path(folder / STATE_FILE) as temporary:
        temporary.write_text(state.model_dump_json(indent=1) + "\n", encoding="utf-8")


@contextmanager
def kept_state(folder: Path, subject: Subject | None = None) -> Iterator[Attempting]:
    """Keep the state of a run up to date: running inside the block, then how the block ended.

    The caller must hold the run's lock.
    """
    before = read_state(folder)
    earlier = before.attempts if before and before.status != "done" else 0
    attempting = Attempting(earlier + 1)
    running = RunState(
        status="running", attempts=attempting.number, started=_now(), subject=subject
    )
    write_state(folder, running)
    clock = time.monotonic()

    def end(status: Status, **more: object) -> None:
        passed = {
            "status": status,
            "ended": _now(),
            "seconds": round(time.monotonic() - clock, 1),
            "peak_memory_mib": attempting.peak_memory_mib,
        }
        # If this fails the state stays `running` without a process, which read_state() handles.
        with suppress(FileFault):
            ended = attempting.elsewhere or running.model_copy(update={**passed, **more})
            write_state(folder, ended.model_copy(update={"subject": subject}))

    try:
        yield attempting
    except BaseException as fault:
        if isinstance(fault, ProcessEnded):
            attempting.peak_memory_mib = fault.peak_memory_mib
        ended = failure(fault)
        end(ended.status, reason=ended.reason, interrupted=ended.interrupted)
        raise
    end("done")


def failure(fault: BaseException) -> RunState:
    """The state that an error leaves a run in."""
    if isinstance(fault, ProcessEnded):
        status: Status = "timeout" if isinstance(fault, RunTimeout) else "failed"
        return RunState(status=status, reason=fault.reason)
    if isinstance(fault, DfbenchError):
        return RunState(status="failed", reason=str(fault))
    if isinstance(fault, Exception):
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())
        return RunState(status="failed", reason=reason)
    return RunState(status="failed", reason=_INTERRUPTED, interrupted=True)


def leave_failure(folder: Path, state: RunState, subject: Subject | None) -> None:
    """Store a failure that no process of the run could store; not while one works there.

    If it cannot be written, the run counts as planned or interrupted, which is also true.
    """
    earlier = read_state(folder)
    if held(folder):
        return
    attempts = earlier.attempts if earlier else 0
    with suppress(FileFault):
        write_state(folder, state.model_copy(update={"attempts": attempts, "subject": subject}))


def _stored(folder: Path) -> RunState | None:
    try:
        content = (folder / STATE_FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return RunState.model_validate_json(content)
    except ValidationError:
        reason = f"its state cannot be read ({folder / STATE_FILE})"
        return RunState(status="failed", reason=reason, interrupted=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
