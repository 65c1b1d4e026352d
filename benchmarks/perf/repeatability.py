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
from dataclasses import dataclass
from pathlib import Path

from dfbench.planning.plan import plan_methods
from dfbench.records.record import Record
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.runs.execute import execute
from dfbench.runs.exhibit import stored_images
from dfbench.runs.ranking import Embeddings, read_embeddings

SMALL = {
    "budget.steps": "60",
    "budget.batch_size": "64",
    "estimator_steps": "60",
    "estimator_batch": "64",
    "teachers.steps": "120",
    "teachers.alternative_steps": "60",
    "teachers.modality_steps": "40",
}
DATA = DataChoice(
    name="shapes", classes=("airplane", "butterfly", "cat", "house", "tree", "umbrella")
)


@dataclass(frozen=True)
class Fit:
    """One of several fits of a run."""

    record: Record
    embeddings: Embeddings
    """Of the test images, in the dataset's order."""


def repeated(
    place: Path,
    device: str,
    threads: int,
    times: int,
    settings: Mapping[str, str] = SMALL,
    data: DataChoice = DATA,
    *,
    cache: Path | None = None,
) -> list[Fit]:
    """The same run, fitted several times, in separate folders but with a common cache.

    The cache is by default a folder of `place`.
    """
    fits = []
    for number in range(times):
        request = RunRequest(
            method="crossx",
            data=data,
            settings=dict(settings),
            device=device,
            threads=threads,
            places=Places(
                results=place / f"results-{number}",
                runs=place / f"runs-{number}",
                cache=cache or place / "cache",
            ),
        )
        (plan,) = plan_methods(request, beside=False)
        run = execute(plan)
        # The images were embedded in a random order.
        images = stored_images(plan, run.folder)
        embeddings = read_embeddings(run.folder, "", images, plan.method.label)
        fits.append(Fit(run.record, embeddings))
    return fits


def deviation(first: Fit, other: Fit) -> dict[str, float]:
    """Largest differences between two fits: in a coordinate of an embedding, and in mAP@all."""
    one, two = first.embeddings, other.embeddings
    scores = [fit.record.metrics["map@all"].value for fit in (first, other)]
    return {
        "embedding": max(float(abs(one[m] - two[m]).max()) for m in one),
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
        fits = repeated(Path(folder), arguments.device, arguments.threads, arguments.times)
        differences = [deviation(fits[0], fit) for fit in fits[1:]]
    environment = fits[0].record.environment
    result = {
        "schema_version": 1,
        "device": environment.device,
        "numerics": fits[0].record.numerics,
        "threads": environment.threads,
        "torch": environment.packages["torch"],
        "times": len(fits),
        "equal digests": len({fit.record.digests.embeddings for fit in fits}) == 1,
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
