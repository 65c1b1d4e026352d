"""Time and size of `dfbench report` for many runs, made of copies of one real run.

    python -m benchmarks.perf.report RESULTS RUNS --json report.json

Takes the first run in RESULTS and RUNS with generated pairs and a showcase, and makes copies:
scores and per-query values vary, pictures are shifted, so that no two files are equal.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dfbench.identity import identify
from dfbench.records.record import Record, metrics_digest
from dfbench.records.showcase import SHEET_FILE, SHOWCASE_FOLDER, VALUES_FILE
from dfbench.records.store import ResultStore, run_folder
from dfbench.system.machine import available_cores

SEEDS, DATASETS = 3, 5
COMMAND = "import sys; from dfbench.cli import main; sys.argv[0] = 'dfbench'; main()"
Values = Mapping[str, NDArray[np.float64]]


def furnished(results: Path, runs: Path) -> tuple[Record, Path]:
    """The first record whose run has generated pairs and a showcase, with its folder."""
    for record in ResultStore(results):
        folder = folder_of(runs, record)
        sheet, pairs = folder / SHOWCASE_FOLDER / SHEET_FILE, folder / "pictures"
        if sheet.is_file() and (pairs / "generated-pairs.png").is_file():
            return record, folder
    raise SystemExit(f"no run in {runs} has generated pairs and a showcase; make one: dfbench run")


def folder_of(runs: Path, record: Record) -> Path:
    """The folder of a record's run."""
    return run_folder(runs, record.data.name, record.method.label, record.seed, record.fit_id)


def multiplied(record: Record, folder: Path, count: int, place: Path) -> None:
    """Fill `results` and `runs` in a folder with copies."""
    with np.load(folder / VALUES_FILE) as stored:
        values = dict(stored)
    pictures = [*(folder / "pictures").glob("*.png"), folder / SHOWCASE_FOLDER / SHEET_FILE]
    images = {file.relative_to(folder): np.asarray(Image.open(file)) for file in pictures}
    rng = np.random.default_rng(0)
    for number in range(count):
        gain = rng.normal(0, 0.05)
        moved = {
            name: np.clip(column + gain + rng.normal(0, 0.02, len(column)), 0, 1)
            for name, column in values.items()
        }
        made = _varied(record, number, moved)
        ResultStore(place / "results").write(made)
        target = folder_of(place / "runs", made)
        heavy = shutil.ignore_patterns("*.safetensors", "*.png", "*.jpg", VALUES_FILE)
        shutil.copytree(folder, target, ignore=heavy)
        np.savez_compressed(target / VALUES_FILE, **moved)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag
        for name, pixels in images.items():
            shifted = np.roll(pixels, (7 * number, number), axis=(0, 1))
            Image.fromarray(shifted).save(target / name)


def _varied(record: Record, number: int, values: Values) -> Record:
    label, dataset = f"row{number // (SEEDS * DATASETS)}", f"data{number % DATASETS}"
    metrics = {}
    for name, score in record.metrics.items():
        mean = float(values[name].mean())
        ends = {"value": mean, "low": mean - 0.01, "high": mean + 0.01}
        metrics[name] = score.model_copy(update=ends)
    changes = {
        "fit_id": identify("perf fit", 1, {"number": number}),
        "eval_id": identify("perf evaluation", 1, {"number": number}),
        "seed": number // DATASETS % SEEDS,
        "method": record.method.model_copy(update={"name": label, "title": label, "variant": None}),
        "data": record.data.model_copy(update={"name": dataset}),
        "metrics": metrics,
        "digests": record.digests.model_copy(update={"metrics": metrics_digest(metrics)}),
    }
    return record.model_copy(update=changes)


def main() -> None:
    """Measure one report in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        multiplied(*furnished(asked.results, asked.runs), asked.count, place)
        places = ("--results", place / "results", "--runs", place / "runs")
        command = [sys.executable, "-c", COMMAND, "report", "-o", place / "report", *places]
        started = time.monotonic()
        subprocess.run([str(part) for part in command], check=True)
        seconds = time.monotonic() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        sizes = [file.stat().st_size for file in (place / "report").rglob("*") if file.is_file()]
    found = {
        "runs": asked.count,
        "cores": available_cores(),
        "seconds": round(seconds, 1),
        "processor seconds": round(used.ru_utime + used.ru_stime, 1),
        "megabytes": round(sum(sizes) / 1e6, 1),
        "files": len(sizes),
        "peak memory, MiB": round(used.ru_maxrss / 1024),
    }
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
