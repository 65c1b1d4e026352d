"""Cost of the built-in re-rankers: processor time as a multiple of the plain ranking, and memory.

    python -m benchmarks.perf.reranking --queries 2000 --photos 50000 --json reranking.json

Each runs in a process of its own with one thread, at its default settings, on Gaussian classes.
Time is that of the processor, so that other programs matter little: `prepare` once, then scores and
metrics of all queries. The plain ranking is `dfbench.evaluation.evaluate` with the same metrics.
Memory is the peak of the process above what embeddings and libraries hold; it is read from Linux's
/proc.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch

from benchmarks.perf.contenders import made_up
from dfbench.builtin import dfbench_rerankers
from dfbench.evaluation import evaluate
from dfbench.evaluation.given_scores import GivenScores
from dfbench.plugins.code import load_target
from dfbench.process.reranking import blocks
from dfbench.system.machine import peak_memory_mib

PLAIN = "plain ranking"
_PEAK_RESET = Path("/proc/self/clear_refs")
"""Writing 5 to it lets the kernel measure the peak from now on."""


class Size(NamedTuple):
    """Size of a retrieval."""

    queries: int
    photos: int
    dim: int
    classes: int


def measured(name: str, size: Size) -> dict[str, float]:
    """Processor seconds, MiB and mAP@all of a ranking, in this process."""
    torch.set_num_threads(1)
    sides = made_up(*size, spread=0.3)
    labels = sides.query_labels.numpy(), sides.gallery_labels.numpy()
    _PEAK_RESET.write_text("5", encoding="ascii")
    before, started = psutil.Process().memory_info().rss / 2**20, time.process_time()
    if name == PLAIN:
        found = evaluate(sides.queries, sides.gallery, *labels, bootstrap=0)
    else:
        specs = {spec.name: spec for spec in dfbench_rerankers()}
        cls = load_target(specs[name].target)
        reranker = cls(cls.Config())
        given = GivenScores(sides.queries, sides.gallery, *labels, bootstrap=0)
        reranker.prepare(sides.gallery, "cosine")
        for start, stop in blocks(size.queries, size.photos):
            scores = reranker.scores(sides.queries[start:stop])
            given.add(np.arange(start, stop), scores.float().numpy())
        found = given.evaluation()
    return {
        "cpu_seconds": round(time.process_time() - started, 2),
        "mib": round(peak_memory_mib() - before),
        "map@all": round(found.scores["map@all"].value, 4),
    }


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    """Measure all, or those named, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("queries", 2000), ("photos", 50_000), ("dim", 512), ("classes", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", nargs="*", default=[spec.name for spec in dfbench_rerankers()])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    size = Size(given.queries, given.photos, given.dim, given.classes)
    rows: dict[str, dict[str, float]] = {}
    for name in (PLAIN, *given.only):
        rows[name] = apart(measured, name, size)
        plain = rows[PLAIN]["cpu_seconds"]
        rows[name]["multiple"] = round(rows[name]["cpu_seconds"] / plain, 1)
        print(name, rows[name], flush=True)
        if given.json:
            content = {**size._asdict(), "threads": 1, "rankings": rows}
            content |= {"machine": platform.machine(), "torch": torch.__version__}
            given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
