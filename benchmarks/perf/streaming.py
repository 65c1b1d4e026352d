"""Memory of training and embedding with images of 224 px, which are streamed from the cache.

    python -m benchmarks.perf.streaming --images 2000 --json streaming.json

Synthetic photos are prepared at 224 px, in a separate process. A teacher is then trained on them
for an epoch, and all are read once more in batches, as for embedding, while the resident memory of
the process is monitored. The result is the peak above the memory of two training steps and two
embedding batches, compared with the size of all images in memory.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from dfbench.datasets import Dataset, DatasetRequest, ImageSet
from dfbench.datasets.folder.opening import open_folder
from dfbench.learning.batches import batch_of
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.training import accuracy, train_teacher

CLASSES = 4
SIZE = 224
BATCH = 8
MIB = 1 << 20
_GLANCE_SECONDS = 0.02


def make_images(root: Path, photos: int) -> None:
    """Write coloured noise of 16 px, which preparation enlarges, and ten sketches per class."""
    rng = np.random.default_rng(0)
    for modality, count in (("photo", photos), ("sketch", 10 * CLASSES)):
        for number in range(count):
            folder = root / modality / f"class {number % CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{number}.png")


def opened(place: Path) -> Dataset:
    """The images, prepared if necessary."""
    root, cache = place / "made up", place / "cache"
    return open_folder(DatasetRequest(cache=cache, argument=str(root), image_size=SIZE))


def prepare(place: Path, photos: int) -> None:
    """Make the images and prepare them."""
    make_images(place / "made up", photos)
    opened(place)


@contextmanager
def watched() -> Iterator[list[int]]:
    """A list with one number: the peak resident memory of this process so far, in bytes."""
    process, most, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(_GLANCE_SECONDS):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def first_of(data: ImageSet, count: int) -> ImageSet:
    """The first images of a set."""
    return ImageSet(data.images[:count], data.labels[:count], data.classes, data.names[:count])


def measured(place: Path) -> dict[str, float]:
    """Size of the images and resident memory, before and at its peak, in MiB."""
    device = torch.device("cpu")
    dataset = opened(place)
    data = dataset.images("photo", "train")
    steps = len(data) // BATCH

    def learn(count: int) -> torch.nn.Module:
        recipe = TeacherRecipe(
            network="resnet-tiny", initialisation="random", steps=count, batch_size=BATCH
        )
        return train_teacher("photo", data, recipe, None, 0, device)

    with watched() as first:
        accuracy(learn(2), first_of(data, 2 * batch_of(SIZE)), device)
    with watched() as training:
        network = learn(steps)
    with watched() as embedding:
        accuracy(network, data, device)
    return {
        "images": data.images.shape[0] * 3 * SIZE**2 / MIB,
        "a few batches": first[0] / MIB,
        "an epoch": training[0] / MIB,
        "embedding": embedding[0] / MIB,
    }


def main() -> None:
    """Measure, print, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            apart.submit(prepare, Path(folder), arguments.images).result()
        memory = measured(Path(folder))
    print("MiB of resident memory, the images' own size first")
    for name, mib in memory.items():
        print(f"{name:14} {mib:8.0f}")
    if arguments.json:
        content = {
            "photos": arguments.images,
            "image_size": SIZE,
            "batch": BATCH,
            "mib": {name: round(mib) for name, mib in memory.items()},
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
