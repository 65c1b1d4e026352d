"""Differences between repeated runs of one identity on a device.

    python -m benchmarks.perf.repeatability --device auto --json repeatability.json

The same small CrossX-DFL run is fitted several times with the same teachers. On a CPU with a fixed
number of threads all repetitions must have the same digest; on a GPU some kernels add in
nondeterministic order, and this prints the differences of embeddings and scores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from dfbench.planning.plan import plan_methods
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.runs.execute import Run, execute

SMALL = {
    "budget.steps": "60",
    "budget.batch_size": "64",
    "estimator_steps": "60",
    "estimator_batch": "64",
    "teachers.steps": "120",
    "teachers.alternative_steps": "60",
    "teachers.modality_steps": "40",
}
CLASSES = ("airplane", "butterfly", "cat", "house", "tree", "umbrella")


def repeated(
    place: Path, device: str, threads: int, times: int, settings: Mapping[str, str] = SMALL
) -> list[Run]:
    """The same run, fitted several times, in separate folders but with a common cache."""
    runs = []
    for number in range(times):
        request = RunRequest(
            method="crossx",
            data=DataChoice(name="shapes", classes=CLASSES),
            settings=dict(settings),
            device=device,
            threads=threads,
            places=Places(
                results=place / f"results-{number}",
                runs=place / f"runs-{number}",
                cache=place / "cache",
            ),
        )
        (plan,) = plan_methods(request, beside=False)
        runs.append(execute(plan))
    return runs


def embeddings(run: Run) -> dict[str, Tensor]:
    """A run's embeddings of the test images."""
    return load_file(run.folder / "embeddings.safetensors")


def deviation(first: Run, other: Run) -> dict[str, float]:
    """Largest differences between two runs: in a coordinate of an embedding, and in mAP@all."""
    one, two = embeddings(first), embeddings(other)
    scores = [run.record.metrics["map@all"].value for run in (first, other)]
    return {
        "embedding": max(float((one[m] - two[m]).abs().max()) for m in one),
        "map@all": abs(scores[0] - scores[1]),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = repeated(Path(folder), arguments.device, arguments.threads, arguments.times)
        differences = [deviation(runs[0], run) for run in runs[1:]]
    environment = runs[0].record.environment
    result = {
        "schema_version": 1,
        "device": environment.device,
        "numerics": runs[0].record.numerics,
        "threads": environment.threads,
        "torch": environment.packages["torch"],
        "times": len(runs),
        "equal digests": len({run.record.digests.embeddings for run in runs}) == 1,
        "largest difference": {
            name: max(difference[name] for difference in differences) for name in differences[0]
        },
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
