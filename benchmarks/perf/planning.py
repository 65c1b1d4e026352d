"""Cost of planning and checking a suite whose runs are all finished.

    python -m benchmarks.perf.planning --runs 1000 --json planning.json

Synthetic records replace the runs of a real suite on `shapes`; `dfbench suite status` is then
called on it in a fresh process, several times, and the best time counts. The time of the process
that queries plugins is listed separately: most of it is the import of torch, which is also measured
alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.perf.commands import MAIN
from dfbench.budget import Budget
from dfbench.planning.plan import Plan
from dfbench.plugins.sources import PluginSources
from dfbench.records.record import (
    DataRecord,
    Digests,
    Environment,
    Record,
    RecordedScore,
    Seconds,
    TeacherRecord,
    metrics_digest,
)
from dfbench.records.store import ResultStore
from dfbench.request import Places
from dfbench.suites.suite import open_suite

_METRICS = ("map@all", "prec@200", "map@200", "prec@100", "acc@1")


def suite_text(runs: int, rows: int) -> str:
    """A suite of `runs` runs: `rows` configurations of one method, as many seeds as it takes."""
    methods = ",\n".join(
        f'  {{ method = "crossx", config = {{ rounds = {number + 1} }} }}' for number in range(rows)
    )
    return (
        f'methods = [\n{methods}\n]\ndatasets = ["shapes"]\nseeds = {list(range(runs // rows))}\n'
    )


def made_up(plan: Plan) -> Record:
    """The synthetic record of a plan."""
    session = plan.session
    score = RecordedScore(value=0.5, low=0.4, high=0.6, macro=0.5)
    metrics = dict.fromkeys(_METRICS, score)
    return Record(
        fit_id=plan.fit_id,
        eval_id=plan.eval_id,
        method=plan.method,
        data=DataRecord(
            name=session.dataset.name,
            fingerprint=session.dataset.fingerprint,
            classes=session.dataset.classes,
            image_size=session.dataset.image_size,
            queries=2000,
            gallery=4000,
            alternative=None,
            notes=(),
        ),
        scenario=plan.scenario,
        seed=session.request.seed,
        numerics=session.numerics,
        budget=Budget(),
        recipe=session.recipe,
        teachers={
            modality: TeacherRecord(identity="t", accuracy=0.9, classes=20)
            for modality in ("photo", "sketch")
        },
        metrics=metrics,
        representations={"posterior": metrics},
        definitions={},
        chance=0.05,
        skipped_queries=0,
        digests=Digests(embeddings="e", metrics=metrics_digest(metrics)),
        seconds=Seconds(teachers=1, fit=2, embed=3, rank=4),
        peak_memory_mib=100,
        parameters=1000,
        environment=Environment(
            dfbench="0",
            python="3",
            packages={},
            device="none",
            threads=1,
            commit=None,
            dirty=None,
        ),
    )


def processor_seconds(command: list[str]) -> tuple[float, str, str]:
    """Processor time of a process and all its children, its output and its messages."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, ended.stdout, ended.stderr


def measured(runs: int, rows: int, rounds: int, cache: Path) -> dict[str, float]:
    """Processor seconds of `dfbench suite status`, of its parts, and of importing torch."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        file = place / "suite.toml"
        file.write_text(suite_text(runs, rows), encoding="utf-8")
        places = Places(results=place / "results", runs=place / "runs", cache=cache)
        given = {
            "device": "cpu",
            "results": places.results,
            "runs": places.runs,
            "cache": cache,
        }
        store = ResultStore(places.results)
        for run in open_suite(file, given, PluginSources()).plan.runs:
            if run.plan:
                store.write(made_up(run.plan))
        arguments = [
            *("suite", "status", str(file), "--device", "cpu", "--format", "json"),
            *("--results", str(places.results), "--runs", str(places.runs)),
            *("--cache", str(cache)),
        ]
        best: dict[str, float] = {}
        for _ in range(rounds):
            spent, out, err = processor_seconds([sys.executable, "-c", MAIN, *arguments])
            totals = json.loads(out)["totals"]
            if totals["done"] != runs // rows * rows:
                raise SystemExit(f"not all runs were found: {totals}")
            if not best or spent < best["all"]:
                best = {"all": spent, **json.loads(err.splitlines()[-1])}
        torch = min(
            processor_seconds([sys.executable, "-c", "import torch"])[0] for _ in range(rounds)
        )
    return {
        "all": best["all"],
        "looking": best["own"],
        "asking plugins": best["children"],
        "importing torch alone": torch,
    }


def main() -> None:
    """Measure, print, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "dfbench-perf")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seconds = measured(arguments.runs, arguments.rows, arguments.rounds, arguments.cache)
    print(f"{arguments.runs} finished runs, processor seconds")
    for name, value in seconds.items():
        print(f"{name:32} {value:6.2f}")
    if arguments.json:
        content = {
            "runs": arguments.runs,
            "processor_seconds": {name: round(value, 3) for name, value in seconds.items()},
            "processor": platform.processor() or platform.machine(),
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
