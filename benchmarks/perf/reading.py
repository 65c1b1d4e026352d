"""Images per second in an epoch: read from the prepared cache, or decoded each time.

    python -m benchmarks.perf.reading --images 20000 --json reading.json

Synthetic JPEG photos of 256 px are prepared to 64 px. The same photos are then read in two ways in
turn, in a new random order each round: by `dfbench`, as uint8 batches from its cache converted to
[0, 1] on the device; and by the usual loop, `ImageFolder` with `Resize` and `ToTensor` in a
`DataLoader`. Both run in one process, with torch on one thread. The best round counts, by wall time
and by processor time; the latter is comparable on a busy machine too. Preparation is timed with one
process and with two.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import Compose, Resize, ToTensor

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.folder.opening import open_folder
from dfbench.learning.batches import to_unit
from dfbench.system.console import progress

CLASSES = 10
SIDE, SIZE = 256, 64
BATCH = 128
GOAL = 4.0


@dataclass(frozen=True)
class Rate:
    """Processing speed of images."""

    seconds: float
    """Wall time."""
    processor_seconds: float
    """Of this process and its child processes."""
    images: int

    @property
    def per_second(self) -> float:
        """Images per second of wall time."""
        return self.images / self.seconds


def make_photos(root: Path, count: int) -> None:
    """Write `count` photos, and ten sketches per class, that do not look like empty paper."""
    rng = np.random.default_rng(0)
    with progress("making photos", count) as advance:
        for number in range(count):
            folder = root / "photo" / f"class {number % CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            made_up(rng).save(folder / f"{number}.jpg", quality=90)
            advance(1)
    for number in range(10 * CLASSES):
        folder = root / "sketch" / f"class {number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        made_up(rng).convert("L").save(folder / f"{number}.jpg")


def made_up(rng: np.random.Generator) -> Image.Image:
    """Coarse structure with fine noise: a JPEG of about 30 KB, as usual for this size."""
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = smooth + rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def rate(work: Callable[[], int]) -> Rate:
    """Time some work, which returns its number of images."""
    before, started = processor_seconds(), time.perf_counter()
    images = work()
    return Rate(time.perf_counter() - started, processor_seconds() - before, images)


def processor_seconds() -> float:
    """Processor time of this process and of its finished child processes."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def prepared(root: Path, cache: Path) -> Dataset:
    """The photos as a dataset."""
    return open_folder(
        DatasetRequest(cache=cache / "images", argument=str(root), image_size=SIZE, processes=1)
    )


def preparing(root: Path, cache: Path, processes: int) -> Rate:
    """Prepare all images into an empty cache, including the start of the command."""
    shutil.rmtree(cache, ignore_errors=True)
    command = [
        *(sys.executable, "-c", "from dfbench.cli import main; main()", "data", "prepare"),
        *(f"folder:{root}", "--image-size", str(SIZE), "--processes", str(processes)),
        *("--cache", str(cache), "--format", "json"),
    ]

    def work() -> int:
        ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return sum(json.loads(ended.stdout)["images"].values())

    return rate(work)


def our_epoch(dataset: Dataset, seed: int) -> int:
    """Read every photo once, from disk, in random batches."""
    generator = torch.Generator().manual_seed(seed)
    count = 0
    for photos in (dataset.images("photo", "train"), dataset.images("photo", "test")):
        for rows in torch.randperm(len(photos), generator=generator).split(BATCH):
            count += len(to_unit(torch.from_numpy(photos.images[rows.numpy()])))
    return count


def usual_epoch(root: Path, seed: int) -> int:
    """Decode every photo once, in random batches."""
    torch.manual_seed(seed)
    folder = ImageFolder(str(root / "photo"), Compose([Resize((SIZE, SIZE)), ToTensor()]))
    return sum(len(images) for images, _ in DataLoader(folder, BATCH, shuffle=True))


def best(rates: list[Rate]) -> Rate:
    """The round with the least interference by other load."""
    return min(rates, key=lambda one: one.processor_seconds)


def measured(place: Path, images: int, rounds: int) -> dict[str, Rate]:
    """All rates by name; the first epoch of dfbench loads the photos into memory."""
    root, cache = place / "made up", place / "cache"
    make_photos(root, images)
    found = {f"preparing, {n} processes": preparing(root, cache, n) for n in (2, 1)}
    first, ours, usual = [], [], []
    for seed in range(rounds):
        dataset = prepared(root, cache)
        first.append(rate(partial(our_epoch, dataset, seed)))
        ours.append(rate(partial(our_epoch, dataset, seed)))
        usual.append(rate(partial(usual_epoch, root, seed)))
    found["dfbench, first epoch"] = best(first)
    found["dfbench, later epochs"] = best(ours)
    found["ImageFolder + Resize + ToTensor"] = best(usual)
    return found


def main() -> None:
    """Measure, print, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        found = measured(Path(place), arguments.images, arguments.rounds)
    usual = found["ImageFolder + Resize + ToTensor"]
    print(f"{'':32} {'images/s':>10} {'processor s':>12}")
    for name, one in found.items():
        print(f"{name:32} {one.per_second:10.0f} {one.processor_seconds:12.2f}")
    ratios = {
        name: {
            "wall": round(one.per_second / usual.per_second, 1),
            "processor": round(usual.processor_seconds / max(one.processor_seconds, 1e-3), 1),
        }
        for name, one in found.items()
        if name.startswith("dfbench")
    }
    for name, ratio in ratios.items():
        print(f"{name}: {ratio['wall']} times the usual loop by wall time, {ratio['processor']} by")
        print(f"    processor time (goal: at least {GOAL:.0f})")
    if arguments.json:
        content = {
            "images": arguments.images,
            "rates": {
                name: {**asdict(one), "images_per_second": round(one.per_second)}
                for name, one in found.items()
            },
            "ratios": ratios,
            "goal": GOAL,
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
