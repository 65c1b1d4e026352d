"""Each fault of a dataset is found and named; datasets of dfbench's own have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfbench.conformance.check import CheckFailed
from dfbench.conformance.dataset import check_dataset
from dfbench.conformance.props import open_few_shapes
from dfbench.datasets import DatasetRequest, ImageSet

OPENED = count()


@dataclass(frozen=True)
class Noise:
    """Two classes and two spare ones of noise."""

    name: str = "noise"
    classes: tuple[str, ...] = ("a", "b")
    alternative_classes: tuple[str, ...] = ("c", "d")
    image_size: int = 8
    fingerprint: str = "noise 1"
    change: Callable[[ImageSet], ImageSet] = lambda images: images
    seeds: dict[str, int] | None = None

    def images(self, modality: str, part: str) -> ImageSet:
        return self._set(modality, part, self.classes)

    def alternative(self, modality: str) -> ImageSet:
        return self._set(modality, "alternative", self.alternative_classes)

    def _set(self, modality: str, part: str, classes: tuple[str, ...]) -> ImageSet:
        seed = (self.seeds or {}).get(part, sum(map(ord, modality + part)))
        images = np.random.default_rng(seed).integers(0, 256, (6, 3, 8, 8), np.uint8)
        labels = np.arange(6) % len(classes)
        names = tuple(f"{modality}/{part}/{i}" for i in range(6))
        return self.change(ImageSet(images, labels, classes, names))


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a path": ({"name": "a/b"}, "its name is empty or a path"),
    "not sorted": ({"classes": ("b", "a")}, "are not sorted or not unique"),
    "one class": ({"classes": ("a",)}, "1 benchmark classes; allowed: two or more"),
    "spare too": (
        {"alternative_classes": ("b", "c")},
        "classes are both benchmark and spare classes: b",
    ),
    "floats": (
        {"change": lambda s: replace(s, images=s.images / 255)},
        "photo training images: images are float64; allowed: uint8",
    ),
    "another size": ({"image_size": 9}, "have shape [6, 3, 8, 8]; allowed: [6, 3, 9, 9]"),
    "a class without images": (
        {"change": lambda s: replace(s, labels=s.labels * 0)},
        "photo training images: no image of b",
    ),
    "one name twice": (
        {"change": lambda s: replace(s, names=("x",) * 6)},
        "1 different names for 6 images",
    ),
    "test images in training": (
        {"seeds": {"train": 1, "test": 1}},
        "6 photo images are in both the training and test part",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_a_dataset_is_found_and_named(name: str, tmp_path: Path) -> None:
    changes, told = FAULTS[name]
    with pytest.raises(CheckFailed) as fault:
        check_dataset(lambda _: Noise(**changes), DatasetRequest(cache=tmp_path))
    assert told in str(fault.value)


@pytest.mark.parametrize("what", ["fingerprint", "images"])
def test_dataset_that_is_another_when_opened_again_is_found(what: str, tmp_path: Path) -> None:
    def opening(_: DatasetRequest) -> Any:
        number = next(OPENED)
        if what == "fingerprint":
            return Noise(fingerprint=str(number))
        return Noise(seeds={"train": number})

    with pytest.raises(CheckFailed, match="opened again"):
        check_dataset(opening, DatasetRequest(cache=tmp_path))


def test_datasets_of_the_kit_and_of_this_test_have_no_fault(cache: Path, tmp_path: Path) -> None:
    check_dataset(open_few_shapes, DatasetRequest(cache=cache / "images"))
    check_dataset(lambda _: Noise(), DatasetRequest(cache=tmp_path))
