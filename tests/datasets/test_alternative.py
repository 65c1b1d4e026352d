from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.alternative import alternative_source
from dfbench.datasets.folder import open_folder
from dfbench.errors import InvalidInput

Maker = Callable[..., Path]


def folder(root: Path, **asked: object) -> Dataset:
    request = DatasetRequest(cache=root.parent / "cache", argument=str(root), **asked)  # type: ignore[arg-type]  # keyword arguments
    return open_folder(request)


def unused() -> Dataset:
    raise AssertionError("shapes must not be opened")


def test_spare_classes_come_first(make_folder: Maker) -> None:
    dataset = folder(
        make_folder({"cat": 4, "dog": 4, "eel": 3, "fox": 2}), alternative_classes=("eel", "fox")
    )
    found = alternative_source(dataset, None, unused)
    assert found.source == "folder:animals (spare)"
    assert found.classes == ("eel", "fox")
    assert np.bincount(found.images("sketch").labels).tolist() == [3, 2]


def test_shapes_stand_in_less_what_the_benchmark_has(make_folder: Maker) -> None:
    dataset = folder(make_folder({"heart": 4, "Spectacles": 4}))
    spare = folder(
        make_folder({"a": 2, "b": 2, "heart": 2, "glasses": 2, "owl": 2}, name="spare"),
        classes=("a", "b"),
        alternative_classes=("heart", "glasses", "owl"),
    )
    with pytest.raises(InvalidInput, match="1 classes that 'folder:animals' does not have"):
        alternative_source(dataset, None, lambda: spare)


def test_another_dataset_gives_training_and_spare_images(make_folder: Maker) -> None:
    dataset = folder(make_folder({"couch": 4, "dog": 4}))
    other = folder(
        make_folder({"sofa": 10, "eel": 10, "fox": 10, "owl": 3}, name="other"),
        alternative_classes=("owl",),
    )
    found = alternative_source(dataset, other, unused)
    images = found.images("photo")
    assert found.source == "folder:other"
    assert found.classes == images.classes == ("eel", "fox", "owl")
    assert np.bincount(images.labels).tolist() == [8, 8, 3]
    assert len(images.images) == len(images.names) == len(images) == 19
    for name, label in zip(images.names, images.labels, strict=True):
        assert name.split("/")[1] == images.classes[label]
    assert not set(images.names) & set(other.images("photo", "test").names)


def test_fingerprint_tells_the_source_and_its_classes(make_folder: Maker) -> None:
    other = folder(make_folder({"sofa": 4, "eel": 4, "fox": 4}, name="other"))
    prints = {
        alternative_source(folder(make_folder(counts, name=name)), other, unused).fingerprint
        for name, counts in (("x", {"a": 3, "b": 3}), ("y", {"sofa": 3, "b": 3}))
    }
    assert len(prints) == 2


def test_another_image_size_is_refused(make_folder: Maker) -> None:
    dataset = folder(make_folder({"cat": 4, "dog": 4}))
    other = folder(make_folder({"eel": 4, "fox": 4}, name="other"), image_size=48)
    with pytest.raises(InvalidInput, match=r"48 px.*32 px.*--image-size"):
        alternative_source(dataset, other, unused)
