"""Seconds of a query among one's own photos: the first, a second, and one after changes.

    python -m benchmarks.perf.gallery --photos 100000 --json benchmarks/perf/gallery.json

Photos are generated files of 32 px. The encoder is small, since its cost is not what is measured:
opening the gallery (finding files, recognising changed ones, reading embeddings) and ranking are.
Each query runs in a process of its own; its processor time includes the import of torch, which is
stated by itself.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from dfbench.retrieval import RetrievalModel, open_gallery, ranked
from dfbench.retrieval.model import WrittenEncoders
from dfbench.system.console import progress

SIZE, DIM = 32, 512
A_FOLDER = 1000
CHANGED = 100
"""Photos added, changed and deleted before the last query, each."""


def make_photos(root: Path, numbers: range) -> None:
    """Write photos, all different, a thousand to a folder."""
    rng = np.random.default_rng(numbers.start)
    with progress("making photos", len(numbers)) as advance:
        for number in numbers:
            file = photo(root, number)
            file.parent.mkdir(parents=True, exist_ok=True)
            coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            coarse[0, 0] = [number >> shift & 255 for shift in (0, 8, 16)]
            Image.fromarray(coarse).resize((SIZE, SIZE)).save(file)
            advance(1)


def photo(root: Path, number: int) -> Path:
    """The file of a photo."""
    return root / f"{number // A_FOLDER}" / f"{number}.png"


def small_model() -> RetrievalModel:
    """Encoders of one strided convolution, with random weights."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, DIM, 8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    encoder = nn.Sequential(*layers).eval()
    about = WrittenEncoders(
        fit_id="0" * 32,
        method="small",
        seed=0,
        image_size=SIZE,
        similarity="cosine",
        classes={"photo": ("cat",), "sketch": ("cat",)},
        chains={"photo": (), "sketch": ()},
        obstacle=None,
    )
    return RetrievalModel(about, {"photo": encoder, "sketch": encoder}, torch.device("cpu"))


def query_once(root: Path, cache: Path) -> dict[str, float]:
    """Seconds and peak memory of one query in this process."""
    model = small_model()
    sketch = np.random.default_rng(1).integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, float] = {}

    def timed(name: str, operation: Callable[[], Any]) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        result = operation()
        found[f"{name} seconds"] = time.perf_counter() - wall
        found[f"{name} processor seconds"] = time.process_time() - processor
        return result

    gallery = timed("open", lambda: open_gallery(root, model, cache))
    timed("rank", lambda: ranked(model, gallery, sketch, 10))
    timed("rank again", lambda: ranked(model, gallery, sketch, 10))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found["photos"] = len(gallery)
    found["memory MiB beyond imports"] = (peak - imported) / 1024
    return found


def in_own_process(root: Path, cache: Path) -> dict[str, float]:
    """The same in a new process."""
    command = [sys.executable, "-m", "benchmarks.perf.gallery", "--query", str(root), str(cache)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(photos: int, place: Path) -> dict[str, Any]:
    """All queries, in order."""
    root, cache = place / "photos", place / "cache"
    make_photos(root, range(photos))
    queries = {"first": in_own_process(root, cache)}
    time.sleep(2.5)  # files changed within the last two seconds are read again
    queries["unchanged"] = in_own_process(root, cache)
    queries["unchanged, again"] = in_own_process(root, cache)
    for number in range(CHANGED):
        photo(root, number).unlink()
        photo(root, CHANGED + number).replace(photo(root, 2 * CHANGED + number))
    make_photos(root, range(photos, photos + CHANGED))
    queries["after changes"] = in_own_process(root, cache)
    stored = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    return {"queries": queries, "cache MiB": stored / 2**20}


def main() -> None:
    """Measure and print, or answer one query for `--query`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--query", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.query:
        print(json.dumps(query_once(*arguments.query)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measured(arguments.photos, Path(folder))
    about = {"photos": arguments.photos, "dim": DIM, "machine": platform.machine()}
    text = json.dumps({**about, **found, "torch": torch.__version__}, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
