"""Seconds of a query among one's own photos: the first, a second, and one after changes.

    python -m benchmarks.perf.gallery --json benchmarks/perf/gallery.json
    python -m benchmarks.perf.gallery --parts search --json benchmarks/perf/gallery.json

Photos are generated files of 32 px. The encoder is small, since its cost is not what is measured:
opening the gallery (finding files, recognising changed ones, reading embeddings) and ranking are.
Each query runs in a process of its own; its processor time includes the import of torch, which is
stated by itself.

The part `search` compares exact search and search by an index among 1,000,000 embeddings in a file
on disk. They are drawn around 2000 centres, and queries further from the centres than photos are.
Its memory is that of the process without the pages of files, which the system can drop.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from dfbench.retrieval import Gallery, RetrievalModel, open_gallery, ranked
from dfbench.retrieval.approximate import open_index
from dfbench.retrieval.model import WrittenEncoders
from dfbench.system.console import progress

SIZE, DIM = 32, 512
A_FOLDER = 1000
A_BLOCK = 100_000
SEARCH_DIM = 128
"""The dimension of embeddings by default."""
CENTRES, PHOTO_NOISE, QUERY_NOISE, QUERIES = 2000, 1.0, 1.2, 20
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


def search(embeddings: int, place: Path) -> dict[str, float]:
    """Exact search and search by an index, in this process."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, SEARCH_DIM), dtype=np.float32)

    def drawn(size: int, noise: float) -> Any:
        around = centres[rng.integers(CENTRES, size=size)]
        return around + noise * rng.standard_normal((size, SEARCH_DIM), dtype=np.float32)

    file = place / "embeddings.f32"
    with file.open("wb") as stored:
        for start in range(0, embeddings, A_BLOCK):
            drawn(min(A_BLOCK, embeddings - start), PHOTO_NOISE).tofile(stored)
    rows = np.memmap(file, np.float32, "r", shape=(embeddings, SEARCH_DIM))
    names = tuple(map(str, range(embeddings)))
    gallery = Gallery(place, names, np.asarray(rows), {}, place / "rows.safetensors", "drawn")
    queries = drawn(QUERIES, QUERY_NOISE)
    # The sketch encoder returns the query as it is.
    model = replace(small_model(), encoders={"photo": nn.Identity(), "sketch": _Given(queries)})
    blank = np.zeros((1, 3, SIZE, SIZE), np.uint8)
    found: dict[str, float] = {"embeddings": embeddings, "dim": SEARCH_DIM, "queries": QUERIES}

    def timed(name: str, operation: Callable[[], Any], times: int = 1) -> list[Any]:
        before, own = time.process_time(), _own_memory()
        with _Peak() as peak:
            results = [operation() for _ in range(times)]
        found[f"{name} processor seconds"] = (time.process_time() - before) / times
        found[f"{name} memory MiB"] = peak.most - own
        return results

    exact = timed("exact query", lambda: ranked(model, gallery, blank, 10), QUERIES)
    (made,) = timed("make index", lambda: open_index(gallery, "cosine"))
    if made is None:
        raise ValueError("too few embeddings for an index; allowed: --embeddings 10000 or more")
    (index,) = timed("open index", lambda: open_index(gallery, "cosine"))
    near = timed("query by index", lambda: ranked(model, gallery, blank, 10, index), QUERIES)
    shares = [
        len({hit.index for hit in best} & {hit.index for hit in hits}) / 10
        for best, hits in zip(exact, near, strict=True)
    ]
    found["recall@10 of queries"] = float(np.mean(shares))
    found["recall@10 of photos"] = made.facts.recall
    found["cells compared"], found["cells"] = made.facts.probes, made.index.nlist
    found["index MiB"] = gallery.cached.with_suffix(".faiss").stat().st_size / 2**20
    return found


class _Given(nn.Module):
    """An encoder that returns given embeddings, one after the other, and begins again."""

    def __init__(self, rows: Any) -> None:
        super().__init__()
        self._rows = cycle(torch.from_numpy(rows))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        del images
        return next(self._rows)[None]


def _own_memory() -> float:
    """MiB of this process without pages of files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


class _Peak:
    """The largest `_own_memory` inside a block, looked at a hundred times a second."""

    def __enter__(self) -> _Peak:
        self.most = _own_memory()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self.most = max(self.most, _own_memory())

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()


PARTS = ("photos", "search")


def main() -> None:
    """Measure and print, or answer one query for `--query`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--embeddings", type=int, default=1_000_000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path, help="write here; parts not measured are kept")
    parser.add_argument("--query", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.query:
        print(json.dumps(query_once(*arguments.query)))
        return
    file: Path | None = arguments.json
    found = json.loads(file.read_bytes()) if file and file.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        if "photos" in arguments.parts:
            found |= {
                "photos": arguments.photos,
                "dim": DIM,
                **measured(arguments.photos, Path(folder)),
            }
        if "search" in arguments.parts:
            found["search"] = search(arguments.embeddings, Path(folder))
    found |= {"machine": platform.machine(), "torch": torch.__version__}
    text = json.dumps(found, indent=1)
    print(text)
    if file:
        file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
