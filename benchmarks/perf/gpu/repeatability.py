"""Differences between two runs of one identity: the tolerance to report."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.repeatability import DATA, SMALL, deviation, repeated
from dfbench.request import DataChoice

_TINY = {
    "budget.steps": "4",
    "budget.batch_size": "8",
    "estimator_steps": "4",
    "estimator_batch": "8",
    "rounds": "2",
    "teachers.network": "resnet-tiny",
    "teachers.steps": "2",
    "teachers.alternative_steps": "2",
    "teachers.modality_steps": "2",
}
_FEW = DataChoice(
    name="shapes", classes=("airplane", "cat"), alternative_classes=("apple", "heart")
)


def measure(request: Request, journal: Journal) -> None:
    """Record the largest differences of embeddings and map@all between two fits of one run."""
    with TemporaryDirectory() as folder:
        settings, data = (_TINY, _FEW) if request.tiny else (SMALL, DATA)
        place = Path(folder)
        cache = request.cache(place)
        fits = repeated(place, request.device, 1, 2, settings, data, cache=cache)
        journal.write("difference", deviation(*fits))
        digests = {fit.record.digests.embeddings for fit in fits}
        journal.write("equal digests", len(digests) == 1)
