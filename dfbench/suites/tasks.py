"""What executors do: plain data, so that a task may be done on another machine."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfbench.runs.record import Record
from dfbench.runs.request import RunRequest
from dfbench.runs.state import RunState


class Task(BaseModel):
    """A run to be done, or with `network` one of the networks that it needs to be trained.

    Whoever has only the task plans its request anew and compares the identity.
    """

    model_config = ConfigDict(frozen=True)

    request: RunRequest
    label: str
    """The row, as people know it."""
    dataset: str
    """The dataset's name in records."""
    fit_id: str
    eval_id: str
    pairs: bool = False
    """Whether another run needs its generated pairs: if they are gone, its record is not enough."""
    network: str | None = None
    """Name of a network in `Plan.networks`."""

    @property
    def key(self) -> tuple[str, str | None]:
        """What no two tasks of a suite have in common."""
        return self.eval_id, self.network

    @property
    def title(self) -> str:
        """One line for people."""
        what = self.label if self.network is None else self.network
        return f"{what} on {self.dataset}, seed {self.request.seed}"


class TaskResult(BaseModel):
    """What became of a task."""

    model_config = ConfigDict(frozen=True)

    state: RunState
    record: Record | None = None
    """Of a run that is done."""
    files: tuple[Path, ...] = ()
    """Files that belong to it: the record's, or the network's."""

    @property
    def done(self) -> bool:
        """Whether others can build on it."""
        return self.state.status == "done"
