"""All trained methods with short budgets: each must finish and reach the scores of a CPU.

The CPU's scores are in `reference.json`, made by

    python -m benchmarks.perf.gpu --reference
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.suites import SuiteRun, jobs, label, score
from dfbench.system.files import write_json

SUITE = Path("benchmarks/gpu.toml")
TINY = """
methods = ["averaging-weights"]
seeds = [0]
[[datasets]]
dataset = "shapes"
classes = ["airplane", "cat"]
alternative_classes = ["apple", "heart"]
[budget]
steps = 4
[teachers]
network = "resnet-tiny"
steps = 2
alternative_steps = 2
modality_steps = 2
"""
SEEDS = (0, 1, 2, 3)
"""Seeds of the reference."""
REFERENCE = Path(__file__).with_name("reference.json")
SPREADS = 3.0
"""Allowed distance of a GPU's score from the mean over the CPU's seeds, in standard deviations."""
LEAST = 0.02
"""Least allowed distance in map@all, for methods whose seeds hardly differ."""


def measure(request: Request, journal: Journal) -> None:
    """Record score, seconds and memory of each method, and whether its score is in range."""
    reference = {} if request.tiny else read_reference()
    with TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny.toml"
        tiny.write_text(TINY, encoding="utf-8")
        suite = SuiteRun(
            tiny if request.tiny else SUITE,
            Path(folder),
            request.device,
            jobs=jobs(request.device),
            options=("--threads", "1"),
            cache=request.cache(Path(folder)),
        )

        def look() -> None:
            for record in suite.records():
                journal.write(label(record), compared(record, reference.get(label(record))))

        status = suite.watch(journal.seconds_left - 5, look)
    missing = sorted(set(reference) - set(journal.content["results"]))
    compared_with = str(REFERENCE.name) if reference else "no reference of the CPU"
    journal.write(
        "suite", {"exit status": status, "not done": missing, "compared with": compared_with}
    )


def compared(record: dict[str, Any], scores: list[float] | None) -> dict[str, Any]:
    """Results of a record, with the CPU's `scores` over seeds for comparison."""
    found = {
        "map@all": score(record),
        "fit seconds": record["seconds"]["fit"],
        "peak memory MiB": record["peak_memory_mib"],
        "teacher accuracy": {
            modality: teacher["accuracy"] for modality, teacher in record["teachers"].items()
        },
    }
    if scores is None:
        return found
    mean, allowed = statistics.mean(scores), tolerance(scores)
    inside = abs(score(record) - mean) <= allowed
    return {**found, "cpu mean": mean, "allowed difference": allowed, "within": inside}


def tolerance(scores: list[float]) -> float:
    """Allowed distance of a score from the mean of the CPU's."""
    return max(LEAST, SPREADS * statistics.stdev(scores))


def read_reference() -> dict[str, list[float]]:
    """The CPU's map@all over seeds, by method; empty before `--reference` has been run."""
    if not REFERENCE.is_file():
        return {}
    content = json.loads(REFERENCE.read_text(encoding="utf-8"))
    scores: dict[str, list[float]] = content["map@all"]
    return scores


def write_reference(records: Iterable[dict[str, Any]]) -> None:
    """Store the scores of CPU runs as the reference."""
    scores: dict[str, list[float]] = {}
    for record in sorted(records, key=lambda one: int(one["seed"])):
        scores.setdefault(label(record), []).append(score(record))
    write_json(REFERENCE, {"schema_version": 1, "suite": str(SUITE), "map@all": scores})
