"""Methods on real images with teachers from ImageNet weights, as many as the time allows.

Records and runs remain in the folder of results, and a second check goes on from them.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.suites import SuiteRun, jobs, label, score

SUITE = Path("benchmarks/imagenet.toml")
METHODS = (
    "crossx[bn]",
    "alternative-data",
    "crossx",
    "classifier-posterior",
    "classifier-only",
    "triplet",
    "siamese",
    "mib",
    "crossx-data",
    "unimodal-distillation",
    "gaussian-prior",
    "meta-data",
)
DATASET = "qd_tiny21"


def measure(request: Request, journal: Journal) -> None:
    """Record scores and seconds of each run finished in time, one seed after the other."""
    if request.data is None:
        journal.write("methods", {"not run": "no --data DIR with real images"})
        return
    place = request.out / "pretrained"
    place.mkdir(parents=True, exist_ok=True)
    only = [word for method in METHODS for word in ("--only", method)]
    suite = SuiteRun(
        written_for(request.data / DATASET, place),
        place,
        request.device,
        jobs=jobs(request.device),
        options=("--threads", "1", *only),
    )

    def look() -> None:
        for record in suite.records():
            found = {"map@all": score(record), "fit seconds": record["seconds"]["fit"]}
            posterior = record["representations"].get("posterior")
            if posterior:
                found["map@all by posterior"] = posterior["map@all"]["value"]
            journal.write(f"{label(record)}, seed {record['seed']}", found)

    suite.watch(journal.seconds_left - 5, look)


def written_for(images: Path, folder: Path) -> Path:
    """The suite for the images of a folder."""
    lines = SUITE.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("datasets")]
    file = folder / SUITE.name
    at = next(i for i, line in enumerate(kept) if line.startswith("seeds"))
    kept.insert(at, f'datasets = ["folder:{images.resolve()}"]')
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return file
