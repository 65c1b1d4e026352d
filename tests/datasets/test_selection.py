"""Images of chosen classes, and what is retrieved in each scenario."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from dfbench.datasets.alternative import images_of
from dfbench.datasets.dataset import Dataset, ImageSet
from dfbench.planning.data import retrieval_images
from dfbench.scenarios.classes import ScenarioClasses

CLASSES = ("ant", "bee", "cat")


def _set(levels: list[int], labels: list[int], names: list[str], channels: int = 3) -> ImageSet:
    images = np.array(levels, np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, channels, 2, 2))
    return ImageSet(images.astype(np.uint8), np.array(labels), CLASSES, tuple(names))


TRAIN = _set([1, 2, 3, 4], [0, 1, 1, 2], ["a", "b", "c", "d"])
TEST = _set([5, 6, 7], [0, 1, 2], ["e", "f", "g"])


def _levels(images: ImageSet) -> list[int]:
    return [int(level) for level in images.images[:][:, 0, 0, 0]]


def test_labels_are_indices_into_the_chosen_classes() -> None:
    chosen = images_of((TRAIN,), ("bee", "cat"))
    assert chosen.classes == ("bee", "cat")
    assert _levels(chosen) == [2, 3, 4]
    assert chosen.labels.tolist() == [0, 0, 1]
    assert chosen.names == ("b", "c", "d")


def test_a_set_of_just_these_classes_is_returned_as_it_is() -> None:
    assert images_of((TRAIN,), CLASSES) is TRAIN


def test_several_sets_become_one_and_grey_images_get_three_channels() -> None:
    grey = _set([8], [2], ["h"], channels=1)
    chosen = images_of((TRAIN, grey), ("cat",))
    assert chosen.images.shape == (2, 3, 2, 2)
    assert _levels(chosen) == [4, 8]


def test_an_image_of_two_sets_counts_once_and_its_namesake_counts_too() -> None:
    again = _set([2, 9], [1, 1], ["b", "c"])
    chosen = images_of((TRAIN, again), ("bee",))
    assert _levels(chosen) == [2, 3, 9]
    assert chosen.names == ("b", "c", "c")


def _dataset(train: ImageSet = TRAIN) -> Dataset:
    def images(modality: str, part: str) -> ImageSet:
        del modality
        return train if part == "train" else TEST

    return cast("Dataset", SimpleNamespace(classes=CLASSES, images=images))


@pytest.mark.parametrize(
    ("division", "levels"),
    [
        (None, [5, 6, 7]),
        (ScenarioClasses(shared=("bee",), photo_only=("ant",), sketch_only=("cat",)), [5, 6, 7]),
        (ScenarioClasses(shared=("bee",), photo_only=("cat",)), [6, 7]),
        (ScenarioClasses(shared=("ant",), unseen=("bee", "cat")), [2, 3, 4, 6, 7]),
    ],
)
def test_held_out_images_are_retrieved_and_all_of_unseen_classes(
    division: ScenarioClasses | None, levels: list[int]
) -> None:
    assert _levels(retrieval_images(_dataset(), division, "photo")) == levels


def test_photos_of_both_parts_are_retrieved_once() -> None:
    both = _set([5, 6, 7, 2], [0, 1, 2, 1], ["e", "f", "g", "b"])
    division = ScenarioClasses(shared=("ant",), unseen=("bee", "cat"))
    assert sorted(_levels(retrieval_images(_dataset(both), division, "photo"))) == [2, 6, 7]
