from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from dfbench.datasets import MODALITIES, Dataset, DatasetRequest, Modality
from dfbench.datasets.shapes import dataset, open_shapes
from dfbench.datasets.shapes.dataset import CHECKSUM, CHECKSUMS, COUNTS, _chosen, drawn
from dfbench.datasets.shapes.figures import ALTERNATIVE, BENCHMARK, FIGURES
from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.errors import DfbenchError, InvalidInput, UnknownName

BLACK = np.zeros((4000, 3, 32, 32), np.uint8)
PART = ("cat", "fish", "star")
FEW = DatasetRequest(cache=Path(), classes=("star", "fish"), alternative_classes=("heart",))
EVERY = 20
"""Of how many images of a class the quick tests draw one."""


@pytest.fixture(scope="module")
def few_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("few")


@pytest.fixture(scope="module")
def few(few_cache: Path) -> Dataset:
    return open_shapes(replace(FEW, cache=few_cache))


def test_images_at_32_pixels_are_those_of_every_record(shapes: Dataset) -> None:
    assert shapes.fingerprint == "23b62eedd06209967b80495126e0c34a"  # made of CHECKSUM
    digest = blake2b(digest_size=16)
    for modality in MODALITIES:
        for name in FIGURES:
            for part in ("train", "test") if name in BENCHMARK else ("train",):
                for index in range(0, COUNTS[modality][part], EVERY):
                    digest.update(drawn(name, modality, part, index).tobytes())
    assert digest.hexdigest() == "7e7f68efeeba021c78e2675fb8ce815f"


@pytest.mark.slow
def test_every_single_image_at_32_pixels_is_that_of_every_record(shapes: Dataset) -> None:
    digest = blake2b(digest_size=16)
    for modality in MODALITIES:
        parts = (shapes.images(modality, part).images for part in ("train", "test"))
        for images in (*parts, shapes.alternative(modality).images):
            digest.update(np.ascontiguousarray(images[:]).data)
    assert digest.hexdigest() == CHECKSUM


def test_only_what_is_read_is_drawn_of_the_default_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_made", lambda plan, _: {part.array: BLACK for part in plan})
    monkeypatch.setattr(
        dataset, "CHECKSUMS", dict.fromkeys(CHECKSUMS, blake2b(BLACK, digest_size=16).hexdigest())
    )
    opened = open_shapes(DatasetRequest(cache=tmp_path))
    assert _sizes(tmp_path) == []
    for _ in range(2):
        assert not opened.images("photo", "test").images[3999].any()
    assert len(_sizes(tmp_path)) == 1


@pytest.mark.parametrize("name", CHECKSUMS)
def test_images_that_differ_on_this_machine_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_made", lambda plan, _: {part.array: BLACK for part in plan})
    modality, _, part = name.partition("-")
    opened = open_shapes(DatasetRequest(cache=tmp_path))
    images = opened.alternative if part == "alternative" else lambda m: opened.images(m, part)
    with pytest.raises(DfbenchError, match="'shapes' differs on this machine"):
        images(modality).images[0]


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
            assert found.images.shape[1:] == (3 if modality == "photo" else 1, 32, 32)
        assert set(np.bincount(shapes.alternative(modality).labels)) == {300}


def test_no_image_occurs_twice(few: Dataset) -> None:
    for modality in MODALITIES:
        sets = [few.images(modality, "train"), few.images(modality, "test")]
        seen = {image.tobytes() for found in sets for image in found.images}
        assert len(seen) == sum(map(len, sets))


def test_second_opening_reads_the_cache(
    few: Dataset, few_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = few.images("sketch", "test").images[7]
    monkeypatch.setattr(dataset, "_made", lambda *_: pytest.fail("drawn again"))
    again = open_shapes(replace(FEW, cache=few_cache))
    assert again.fingerprint == few.fingerprint
    np.testing.assert_array_equal(again.images("sketch", "test").images[7], first)


def test_an_image_does_not_depend_on_the_classes_chosen(few: Dataset, shapes: Dataset) -> None:
    for modality in MODALITIES:
        for part in ("train", "test"):
            ours = few.images(modality, part)
            star = ours.images[ours.labels == 1]
            assert star.dtype == np.uint8
            for index in range(0, len(star), EVERY):
                np.testing.assert_array_equal(star[index], drawn("star", modality, part, index))
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
        ({"image_size": 0}, "image size 0; allowed: a number of pixels"),
        ({"holdout": "literature"}, "--holdout literature does not apply to 'shapes'"),
        ({"duplicate_photos": True}, "--duplicate-photos does not apply to 'shapes'"),
        ({"argument": "x"}, "takes no argument"),
        ({"classes": ("cat",)}, "two or more"),
        ({"classes": PART, "alternative_classes": ("cat",)}, "'cat' is both a benchmark and"),
    ],
)
def test_impossible_request_is_refused(tmp_path: Path, asked: dict, message: str) -> None:  # type: ignore[type-arg]  # keyword arguments
    with pytest.raises(InvalidInput, match=message):
        open_shapes(DatasetRequest(cache=tmp_path, **asked))


def test_a_benchmark_class_may_become_alternative_and_back() -> None:
    assert _chosen(("heart", "cat", "cat"), BENCHMARK) == ("cat", "heart")
    assert _chosen(("all",), BENCHMARK) == tuple(BENCHMARK)
    assert set(FIGURES) == set(BENCHMARK) | set(ALTERNATIVE)


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("modality", MODALITIES)
def test_another_size_shows_the_same_scenes(modality: Modality, size: int) -> None:
    def means(image: np.ndarray, parts: int) -> np.ndarray:  # type: ignore[type-arg]  # of integers
        return image.reshape(len(image), 8, parts, 8, parts).mean(axis=(2, 4))

    others = []
    for name in PART:
        small, large = (drawn(name, modality, "test", 5, side) for side in (32, size))
        assert large.shape == (small.shape[0], size, size)
        assert np.abs(means(large, size // 8) - means(small, 4)).mean() < 8
        others.append(means(small, 4))
    assert np.abs(others[0] - others[1]).mean() > 16


def test_fine_lines_stay_fine_in_large_images() -> None:
    strokes = [drawn("cat", "sketch", "train", i, 128) for i in range(8)]
    soft = [((image > 110) & (image < 250)).mean() / (image < 250).mean() for image in strokes]
    assert max(soft) < 0.5  # resized from 32 px, nearly all of a line is soft


def test_large_lines_are_not_dotted() -> None:
    image = drawn("star", "sketch", "train", 3, 224)[0]
    inked = image < 128
    lonely = inked & ~np.roll(inked, 1, 0) & ~np.roll(inked, -1, 0)
    assert lonely.sum() < 0.02 * inked.sum()


@pytest.mark.parametrize(
    ("size", "checksum"),
    [
        (8, "26fda59b62bcfa4b"),
        (64, "b0a861bfec88ef88"),
        (96, "271e864352f36a21"),
        (224, "656f7b907c7d33fd"),
    ],
)
def test_images_of_another_size_are_the_same_everywhere(size: int, checksum: str) -> None:
    digest = blake2b(digest_size=8)
    for name in PART:
        for modality in MODALITIES:
            digest.update(drawn(name, modality, "train", 7, size).tobytes())
    assert digest.hexdigest() == checksum


def _sizes(cache: Path) -> list[int]:
    return sorted(path.stat().st_size for path in cache.glob("shapes-*.pack"))


def test_only_what_is_read_is_drawn_at_another_size(tmp_path: Path) -> None:
    request = DatasetRequest(
        cache=tmp_path,
        image_size=8,
        classes=("fish", "star"),
        alternative_classes=("heart", "cat"),
    )
    opened = open_shapes(request)
    assert opened.images("photo", "test").images.shape == (400, 3, 8, 8)
    assert _sizes(tmp_path) == []
    assert opened.alternative("sketch").images[0].shape == (1, 8, 8)
    (spare,) = _sizes(tmp_path)
    assert spare < 2 * 300 * 4 * 64 + 2000
    photos = opened.images("photo", "train").images[[799, 0]]
    np.testing.assert_array_equal(photos[0], drawn("star", "photo", "train", 399, 8))
    np.testing.assert_array_equal(photos[1], drawn("fish", "photo", "train", 0, 8))
    assert len(_sizes(tmp_path)) == 2
    assert open_shapes(request).fingerprint == opened.fingerprint
    assert opened.notes == ()


def test_fingerprint_follows_the_size_and_the_classes(tmp_path: Path) -> None:
    sizes = [open_shapes(DatasetRequest(cache=tmp_path, image_size=size)) for size in (8, 64)]
    fewer = open_shapes(DatasetRequest(cache=tmp_path, image_size=8, classes=("fish", "star")))
    only = open_shapes(DatasetRequest(cache=tmp_path, image_size=8, alternative_only=True))
    assert len({opened.fingerprint for opened in (*sizes, fewer, only)}) == 4
    assert _sizes(tmp_path) == []


def test_alternative_data_at_another_size_are_few(tmp_path: Path) -> None:
    only = open_shapes(DatasetRequest(cache=tmp_path, image_size=8, alternative_only=True))
    for modality in MODALITIES:
        assert set(np.bincount(only.images(modality, "train").labels)) == {100}
        assert set(np.bincount(only.alternative(modality).labels)) == {100}
        assert len(only.images(modality, "test")) == 0


def test_at_32_pixels_alternative_data_are_what_they_were(
    shapes: Dataset, shapes_cache: Path
) -> None:
    only = open_shapes(DatasetRequest(cache=shapes_cache, alternative_only=True))
    assert only.fingerprint == shapes.fingerprint
    assert len(only.images("photo", "train")) == 20 * 400
