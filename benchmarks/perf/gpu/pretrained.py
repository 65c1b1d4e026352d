"""Methods on real images with teachers from ImageNet weights, as many as the time allows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.suites import SuiteRun, label, score

SUITE = Path("benchmarks/imagenet.toml")
METHODS = ("crossx[bn]", "classifier-posterior", "alternative-data", "crossx")
DATASET = "qd_tiny21"


def measure(request: Request, journal: Journal) -> None:
    """Record scores and seconds of the first seed of each method finished in time."""
    if request.data is None:
        journal.write("methods", {"not run": "no --data DIR with real images"})
        return
    with TemporaryDirectory() as folder:
        for method in METHODS:
            if journal.seconds_left < 0:
                break
            suite = SuiteRun(
                written_for(request.data / DATASET, Path(folder)),
                Path(folder),
                request.device,
                options=("--only", method, "--only", "seed=0"),
            )
            suite.watch(journal.seconds_left - 5, lambda: None)
            for record in suite.records():
                found = {"map@all": score(record), "fit seconds": record["seconds"]["fit"]}
                posterior = record["representations"].get("posterior")
                if posterior:
                    found["map@all by posterior"] = posterior["map@all"]["value"]
                journal.write(label(record), found)


def written_for(images: Path, folder: Path) -> Path:
    """The suite for the images of a folder."""
    lines = SUITE.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("datasets")]
    file = folder / SUITE.name
    at = next(i for i, line in enumerate(kept) if line.startswith("seeds"))
    kept.insert(at, f'datasets = ["folder:{images.resolve()}"]')
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return file
