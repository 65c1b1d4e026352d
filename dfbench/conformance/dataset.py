"""Checks of the rules that dfbench relies on in datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath

import numpy as np

from dfbench.conformance.check import CheckFailed
from dfbench.datasets.dataset import Dataset, DatasetRequest, ImageSet
from dfbench.modality import MODALITIES

_AT_ONCE = 500


def check_dataset(opening: Callable[[DatasetRequest], Dataset], request: DatasetRequest) -> None:
    """Open a dataset twice and check every image. Raises `CheckFailed` with the first error."""
    dataset, again = opening(request), opening(request)
    for fault in _faults(dataset):
        raise CheckFailed(f"dataset {dataset.name!r}: {fault}")
    if dataset.fingerprint != again.fingerprint:
        raise CheckFailed(f"dataset {dataset.name!r}: its fingerprint changes when opened again")
    for (name, one), (_, other) in zip(_sets(dataset), _sets(again), strict=True):
        if _rows(one) != _rows(other) or one.names != other.names:
            raise CheckFailed(f"dataset {dataset.name!r}: {name} change when opened again")


def _faults(dataset: Dataset) -> Iterator[str]:
    yield from _name_faults(dataset)
    for name, images in _sets(dataset):
        yield from (f"{name}: {fault}" for fault in _set_faults(images, dataset.image_size))
    for modality in MODALITIES:
        train, test = (set(_rows(dataset.images(modality, part))) for part in ("train", "test"))
        if train & test:
            yield f"{len(train & test)} {modality} images are in both the training and test part"


def _name_faults(dataset: Dataset) -> Iterator[str]:
    if not dataset.name or len(PurePath(dataset.name).parts) != 1:
        yield "its name is empty or a path"
    for classes in (dataset.classes, dataset.alternative_classes):
        if list(classes) != sorted(set(classes)):
            yield f"classes {classes!r} are not sorted or not unique"
    if len(dataset.classes) < 2:
        yield f"{len(dataset.classes)} benchmark classes; allowed: two or more"
    both = set(dataset.classes) & set(dataset.alternative_classes)
    if both:
        yield f"classes are both benchmark and spare classes: {', '.join(sorted(both))}"


def _set_faults(images: ImageSet, size: int) -> Iterator[str]:
    count = len(images)
    if images.images[:1].dtype != np.uint8:
        yield f"images are {images.images[:1].dtype}; allowed: uint8"
    shape = tuple(images.images.shape)
    if shape not in ((count, 1, size, size), (count, 3, size, size)):
        yield f"images have shape {list(shape)}; allowed: {[count, 3, size, size]}"
    absent = set(range(len(images.classes))) - set(images.labels.tolist())
    if absent:
        yield f"no image of {', '.join(images.classes[label] for label in sorted(absent))}"
    if len(set(images.names)) != count:
        yield f"{len(set(images.names))} different names for {count} images"


def _sets(dataset: Dataset) -> Iterator[tuple[str, ImageSet]]:
    for modality in MODALITIES:
        yield f"{modality} training images", dataset.images(modality, "train")
        yield f"{modality} test images", dataset.images(modality, "test")
        if dataset.alternative_classes:
            yield f"alternative {modality} images", dataset.alternative(modality)


def _rows(data: ImageSet) -> list[bytes]:
    starts = range(0, len(data), _AT_ONCE)
    return [row.tobytes() for start in starts for row in data.images[start : start + _AT_ONCE]]
