"""How a process of a run ended: with an exit status, or by a limit or a crash."""

from __future__ import annotations

from dataclasses import dataclass

from dfbench.errors import DfbenchError


class ProcessEnded(DfbenchError):
    """A process that did not end with an answer."""

    def __init__(self, reason: str, advice: str, peak_memory_mib: float) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason
        """The message without the advice, which differs for a run of a suite."""
        self.peak_memory_mib = peak_memory_mib
        """Peak memory measured."""


class RunTimeout(ProcessEnded):
    """The process exceeded its time limit and was killed."""


class MemoryExceeded(ProcessEnded):
    """The process exceeded its memory limit and was killed."""


@dataclass(frozen=True)
class Ending:
    """How a process ended, if not by its limits."""

    status: int
    """Exit status; negative for the signal that killed it."""
    peak_memory_mib: float
    """Peak memory measured."""
