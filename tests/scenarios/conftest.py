"""A folder of images that tell their class, and the command line upon it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench import Bench
from PIL import Image
from zoo_bench import IMAGES, LEVELS, ZooBench


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder; apart from one corner pixel a row, images of a class are all alike."""
    root = tmp_path_factory.mktemp("data") / "zoo"
    for modality in ("photo", "sketch"):
        for name, level in LEVELS.items():
            folder = root / modality / name
            folder.mkdir(parents=True)
            for number in range(IMAGES):
                pixels = np.full((32, 32, 3), level, np.uint8)
                pixels[0, 0] = number + 10 * (modality == "photo")
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


@pytest.fixture
def zoo_bench(quick_bench: Bench, zoo: Path) -> ZooBench:
    """The command line upon the folder; plugin code runs in this process."""
    return ZooBench(quick_bench, zoo)
