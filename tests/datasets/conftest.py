"""Datasets for the tests of this folder, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.shapes import open_shapes

Maker = Callable[..., Path]


@pytest.fixture(scope="session")
def shapes_cache(cache: Path) -> Path:
    return cache


@pytest.fixture(scope="session")
def shapes(shapes_cache: Path) -> Dataset:
    return open_shapes(DatasetRequest(cache=shapes_cache))


@pytest.fixture
def make_folder(tmp_path: Path) -> Maker:
    """Write a folder dataset of random images: `make_folder({"cat": 10, "dog": 10})`."""

    def make(counts: Mapping[str, int], name: str = "animals", size: int = 20) -> Path:
        root = tmp_path / name
        rng = np.random.RandomState(0)
        for modality in ("photo", "sketch"):
            for class_name, count in counts.items():
                folder = root / modality / class_name
                folder.mkdir(parents=True)
                for i in range(count):
                    grey = rng.randint(0, 256, (size, size, 3 if modality == "photo" else 1))
                    pixels = np.broadcast_to(grey, (size, size, 3)).astype(np.uint8)
                    Image.fromarray(pixels).save(folder / f"{i}.png")
        return root

    return make
