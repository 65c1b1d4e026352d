from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dfbench.datasets import MODALITIES, Dataset, DatasetRequest
from dfbench.datasets.shapes import open_shapes
from dfbench.datasets.shapes.dataset import CHECKSUM, _chosen, drawn
from dfbench.datasets.shapes.draws import Draws
from dfbench.datasets.shapes.figures import ALTERNATIVE, BENCHMARK, FIGURES
from dfbench.errors import InvalidInput, UnknownName

PART = ("cat", "fish", "star")


@pytest.fixture(scope="module")
def few_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("few")


@pytest.fixture(scope="module")
def few(few_cache: Path) -> Dataset:
    request = DatasetRequest(
        cache=few_cache,
        classes=("star", "fish"),
        alternative_classes=("heart",),
    )
    return open_shapes(request)


def test_every_image_has_its_stored_checksum(shapes: Dataset) -> None:
    # open_shapes itself refuses another checksum; this says so by name.
    assert shapes._pack.digest == CHECKSUM  # type: ignore[attr-defined]  # not part of Dataset


def test_it_has_twenty_classes_and_ten_spare_ones(shapes: Dataset) -> None:
    assert len(shapes.classes) == 20
    assert len(shapes.alternative_classes) == 10
    assert list(shapes.classes) == sorted(shapes.classes)
    assert not set(shapes.classes) & set(shapes.alternative_classes)


def test_every_class_has_its_number_of_images(shapes: Dataset) -> None:
    expected = {("photo", "test"): 200, ("sketch", "test"): 100}
    for modality in MODALITIES:
        for part in ("train", "test"):
            found = shapes.images(modality, part)
            assert set(np.bincount(found.labels)) == {expected.get((modality, part), 400)}
            assert len(found) == len(found.images) == len(set(found.names))
            assert found.images.dtype == np.uint8
            assert found.images.shape[1:] == (3 if modality == "photo" else 1, 32, 32)
        assert set(np.bincount(shapes.alternative(modality).labels)) == {300}


def test_no_image_occurs_twice(shapes: Dataset) -> None:
    for modality in MODALITIES:
        sets = [shapes.images(modality, "train"), shapes.images(modality, "test")]
        seen = {image.tobytes() for found in sets for image in found.images}
        assert len(seen) == sum(map(len, sets))


def test_second_opening_reads_the_cache(shapes: Dataset, shapes_cache: Path) -> None:
    start = time.perf_counter()
    again = open_shapes(DatasetRequest(cache=shapes_cache))
    assert time.perf_counter() - start < 2.0
    assert again.fingerprint == shapes.fingerprint
    assert isinstance(again.images("photo", "train").images.base, np.ndarray)


def test_an_image_does_not_depend_on_the_classes_chosen(few: Dataset, shapes: Dataset) -> None:
    for modality in MODALITIES:
        for part in ("train", "test"):
            ours, all_of_them = few.images(modality, part), shapes.images(modality, part)
            star = all_of_them.images[all_of_them.labels == shapes.classes.index("star")]
            np.testing.assert_array_equal(ours.images[ours.labels == 1], star)
    assert few.fingerprint != shapes.fingerprint
    assert few.classes == ("fish", "star")
    assert few.alternative_classes == ("heart",)
    assert few.alternative("sketch").classes == ("heart",)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_leaves_a_mark_and_varies(name: str) -> None:
    sketches = [drawn(name, "sketch", "train", i) for i in range(6)]
    assert all((image < 128).sum() >= 8 for image in sketches)
    assert all((image > 250).mean() > 0.4 for image in sketches)
    photos = [drawn(name, "photo", "train", i).astype(int) for i in range(6)]
    for i, photo in enumerate(photos):
        assert photo.std() > 4
        assert all(np.abs(photo - other).mean() > 5 for other in photos[:i])


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_fresh_process_draws_the_same(modality: str) -> None:
    code = (
        "import hashlib; from dfbench.datasets.shapes.dataset import drawn;"
        f"print(hashlib.sha256(drawn('key', {modality!r}, 'test', 3).tobytes()).hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_random_numbers_are_frozen() -> None:
    draws = Draws("key", 1)
    assert draws.array(2).tolist() == [0.18372578480457757, 0.8006323767755622]
    assert draws.between(-1, 1) == 0.6950001518574789


def test_misspelt_class_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="'umbrela'; did you mean 'umbrella'"):
        open_shapes(DatasetRequest(cache=tmp_path, classes=("umbrela", "cat")))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"image_size": 0}, "image size 0: give a number of pixels"),
        ({"holdout": "literature"}, "--holdout literature asked of 'shapes'"),
        ({"duplicate_photos": True}, "--duplicate-photos asked of 'shapes'"),
        ({"argument": "x"}, "takes no argument"),
        ({"classes": ("cat",)}, "two or more"),
        ({"classes": PART, "alternative_classes": ("cat",)}, "'cat' asked for as benchmark and"),
    ],
)
def test_impossible_request_is_refused(tmp_path: Path, asked: dict, message: str) -> None:  # type: ignore[type-arg]  # keyword arguments
    with pytest.raises(InvalidInput, match=message):
        open_shapes(DatasetRequest(cache=tmp_path, **asked))


def test_a_benchmark_class_may_become_alternative_and_back() -> None:
    assert _chosen(("heart", "cat", "cat"), BENCHMARK) == ("cat", "heart")
    assert _chosen(("all",), BENCHMARK) == tuple(BENCHMARK)
    assert set(FIGURES) == set(BENCHMARK) | set(ALTERNATIVE)


def test_another_size_is_the_same_images_resized(few: Dataset, few_cache: Path) -> None:
    request = DatasetRequest(
        cache=few_cache, classes=("star", "fish"), alternative_classes=("heart",), image_size=64
    )
    large = open_shapes(request)
    assert large.image_size == 64
    assert large.notes == ("drawn at 32 px, resized to 64 px",)
    assert large.fingerprint != few.fingerprint
    images, original = (d.images("photo", "test").images for d in (large, few))
    assert images.shape == (400, 3, 64, 64)
    halved = images.reshape(400, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    assert np.abs(halved - original).mean() < 3
