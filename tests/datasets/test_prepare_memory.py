"""Large images are never all in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dfbench.datasets import DatasetRequest
from dfbench.datasets.folder.opening import open_folder

_READ = """
import json, sys
from pathlib import Path
import numpy as np
from dfbench.datasets import DatasetRequest
from dfbench.datasets.folder.opening import open_folder
from dfbench.process.handover import shared_arrays, shared_images

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

root = Path(sys.argv[1])
request = DatasetRequest(cache=root.parent / "cache", argument=str(root), image_size=224)
images = open_folder(request).images("photo", "train").images
images[:8]
peaks = [peak()]
for rows in np.array_split(np.random.default_rng(0).permutation(len(images)), len(images) // 8):
    images[rows]
peaks.append(peak())
with shared_arrays(root, {"photo": lambda: images}):
    lent = shared_images(root, "photo")
    for start in range(0, len(lent), 8):
        lent[start : start + 8]
    peaks.append(peak())
everything = images[:]
peaks.append(peak())
print(json.dumps({"peaks": peaks, "images": everything.nbytes / 2**20}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read there")
def test_epoch_and_handing_over_of_large_images_take_the_memory_of_a_few(
    make_folder: Callable[..., Path],
) -> None:
    root = make_folder({"cat": 600, "dog": 400}, size=12)
    open_folder(DatasetRequest(root.parent / "cache", str(root), image_size=224, processes=1))
    ended = subprocess.run(
        [sys.executable, "-c", _READ, str(root)], capture_output=True, text=True, check=True
    )
    found = json.loads(ended.stdout)
    ready, epoch, lent, everything = found["peaks"]
    assert found["images"] > 110
    assert epoch - ready < 40  # a chunk
    assert lent - epoch < 60  # a block of 32 MiB, and it once more as bytes
    assert everything - epoch > 60  # so the figures above could have been larger
