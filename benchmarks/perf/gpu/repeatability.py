"""Differences between two runs of one identity: the tolerance to report."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.repeatability import SMALL, deviation, repeated

_TINY = {**SMALL, "budget.steps": "4", "estimator_steps": "4", "teachers.steps": "4"}


def measure(request: Request, journal: Journal) -> None:
    """Record the largest differences of embeddings and map@all between two fits of one run."""
    with TemporaryDirectory() as folder:
        settings = _TINY if request.tiny else SMALL
        fits = repeated(Path(folder), request.device, threads=1, times=2, settings=settings)
        journal.write("difference", deviation(*fits))
        digests = {fit.record.digests.embeddings for fit in fits}
        journal.write("equal digests", len(digests) == 1)
