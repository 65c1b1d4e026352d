"""CIFAR-10 with Quick, Draw!, opened from files that were put there by hand, as published."""

from __future__ import annotations

import io
import pickle
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
from publisher import A_BATCH, COUNT, Publisher, cifar_tar, little_files, little_source

from dfbench.class_names import colliding
from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.cifar_quickdraw.dataset import opened_from
from dfbench.datasets.cifar_quickdraw.files import photos
from dfbench.datasets.cifar_quickdraw.source import NAME, PublishedSource, published
from dfbench.datasets.shapes.figures import ALTERNATIVE
from dfbench.errors import InvalidInput, UnknownName

CLASSES = ("airplane", "automobile", "bird", "cat", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture(scope="module")
def publisher() -> Publisher:
    return Publisher(little_files())


@pytest.fixture
def source(publisher: Publisher) -> PublishedSource:
    return little_source(publisher)


@pytest.fixture
def root(publisher: Publisher, tmp_path: Path) -> Path:
    home = tmp_path / NAME
    home.mkdir()
    for path, content in publisher.files.items():
        (home / path.rpartition("/")[2]).write_bytes(content)
    return tmp_path


def opened(source: PublishedSource, root: Path, **asked: object) -> Dataset:
    request = DatasetRequest(cache=root / "cache" / "images", root=root, **asked)  # type: ignore[arg-type]  # keyword arguments
    return opened_from(source, request)


def test_address_and_checksum_are_those_of_torchvision() -> None:
    from torchvision.datasets import CIFAR10

    assert (published().photos.url, published().photos.md5) == (CIFAR10.url, CIFAR10.tgz_md5)


def test_drawings_become_black_on_white_with_a_margin_and_nothing_blurred(
    source: PublishedSource, root: Path, publisher: Publisher
) -> None:
    dataset = opened(source, root)
    ink = np.load(io.BytesIO(publisher.files["/numpy_bitmap/car.npy"])).reshape(-1, 28, 28)
    found = dataset.images("sketch", "train")
    assert found.images.shape[1:] == (1, 32, 32)
    rows = np.flatnonzero(found.labels == CLASSES.index("automobile"))
    for row in rows:
        drawing = ink[int(found.names[row].rpartition("/")[2])]
        assert np.array_equal(found.images[row, 0, 2:30, 2:30], 255 - drawing)
        assert (found.images[row] == 0).sum() == (drawing == 255).sum()
        assert (found.images[row, 0, :2] == 255).all()
    assert len(rows) == COUNT * 4 // 5


def test_gallery_is_the_test_batch_of_cifar_and_queries_a_fifth_of_the_drawings(
    source: PublishedSource, root: Path
) -> None:
    dataset = opened(source, root)
    train, test = photos(source, root / NAME)
    gallery = dataset.images("photo", "test")
    assert sorted(image.tobytes() for image in gallery.images) == sorted(
        image.tobytes()
        for image, label in zip(test.images, test.labels, strict=True)
        if label != 4  # deer
    )
    for image, label in zip(gallery.images, gallery.labels, strict=True):
        (place,) = np.flatnonzero((test.images == image).all(axis=(1, 2, 3)))
        assert source.shared(CLASSES[label]).label == test.labels[place]
    assert np.bincount(dataset.images("sketch", "test").labels).tolist() == [COUNT // 5] * 9
    assert len(train.images) == 5 * A_BATCH


def test_training_photo_that_is_a_test_photo_is_left_out_and_said(
    source: PublishedSource, root: Path
) -> None:
    dataset = opened(source, root)
    known = {image.tobytes() for image in dataset.images("photo", "test").images}
    learnt = dataset.images("photo", "train")
    assert not known & {image.tobytes() for image in learnt.images}
    assert np.bincount(learnt.labels).tolist() == [9, *[10] * 8]
    assert "1 training photos left out because they are also test photos" in dataset.notes


def test_equal_drawings_stay_on_one_side(publisher: Publisher, tmp_path: Path) -> None:
    rows = np.zeros((COUNT, 784), np.uint8)
    rows[: COUNT // 2, 3] = 255
    rows[COUNT // 2 :, np.arange(COUNT - COUNT // 2)] = 1
    rows[COUNT // 2 :] *= np.arange(1, COUNT - COUNT // 2 + 1, dtype=np.uint8)[:, None]
    home = tmp_path / NAME
    home.mkdir()
    for path, content in publisher.files.items():
        (home / path.rpartition("/")[2]).write_bytes(content)
    np.save(home / "car.npy", rows)
    dataset = opened(little_source(publisher), tmp_path)
    sides = [
        {image.tobytes() for image in found.images[found.labels == 1]}
        for found in (dataset.images("sketch", "train"), dataset.images("sketch", "test"))
    ]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_second_opening_gives_the_same_and_reads_no_archive(
    source: PublishedSource, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(source, root)
    monkeypatch.setattr("dfbench.datasets.cifar_quickdraw.dataset.photos", None)
    second = opened(source, root)
    assert first.fingerprint == second.fingerprint
    assert np.array_equal(
        first.images("photo", "test").images, second.images("photo", "test").images
    )


def test_changed_drawing_changes_the_fingerprint(source: PublishedSource, root: Path) -> None:
    before = opened(source, root).fingerprint
    file = root / NAME / "cat.npy"
    content = bytearray(file.read_bytes())
    content[200] ^= 255
    file.write_bytes(content)
    assert opened(source, root).fingerprint != before
    other = opened(source, root).fingerprint
    content[-1] ^= 255  # a drawing beyond those that are used
    file.write_bytes(content)
    assert opened(source, root).fingerprint == other


def test_classes_are_chosen_in_either_ones_words(source: PublishedSource, root: Path) -> None:
    dataset = opened(source, root, classes=("Ship", "car"), alternative_classes=("frog",))
    assert dataset.classes == ("automobile", "ship")
    assert dataset.alternative_classes == ("frog",)
    assert len(dataset.alternative("sketch")) == COUNT
    assert len(dataset.alternative("photo")) == 12
    assert opened(source, root, alternative_classes=("frog",)).classes == tuple(
        name for name in CLASSES if name != "frog"
    )
    assert opened(source, root, classes=("all",)).classes == CLASSES
    with pytest.raises(UnknownName, match=r"'deer'.*allowed: airplane, automobile"):
        opened(source, root, classes=("deer", "cat"))
    with pytest.raises(InvalidInput, match="'cat' is both a benchmark and an alternative class"):
        opened(source, root, classes=("cat", "dog"), alternative_classes=("cat",))
    with pytest.raises(InvalidInput, match="1 benchmark classes"):
        opened(source, root, classes=("cat",))


def test_other_image_size(source: PublishedSource, root: Path) -> None:
    dataset = opened(source, root, image_size=64)
    assert dataset.image_size == 64
    assert dataset.images("photo", "test").images.shape == (18, 3, 64, 64)
    assert dataset.images("sketch", "test").images.shape == (54, 1, 64, 64)
    assert dataset.fingerprint != opened(source, root).fingerprint
    with pytest.raises(InvalidInput, match="image size 0"):
        opened(source, root, image_size=0)


@pytest.mark.parametrize("asked", [{"holdout": "literature"}, {"duplicate_photos": True}])
def test_options_of_published_datasets_are_refused(
    asked: dict[str, object], source: PublishedSource, root: Path
) -> None:
    with pytest.raises(
        InvalidInput, match=r"does not apply to 'cifar-quickdraw'.*remove the option"
    ):
        opened(source, root, **asked)


def test_all_spare_figures_can_serve_as_alternative_classes() -> None:
    assert colliding(ALTERNATIVE, published().names) == frozenset()


def test_without_the_files_the_error_says_how_to_have_them(
    source: PublishedSource, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as fault:
        opened(source, tmp_path / "my data")
    text = str(fault.value)
    assert f"dfbench data fetch cifar-quickdraw --data-root '{tmp_path}/my data'" in text
    assert f"manually into '{tmp_path}/my data/cifar-quickdraw'" in text
    assert "/numpy_bitmap/<category>.npy of airplane, car, bird," in text
    assert len(text.splitlines()) <= 6
    with pytest.raises(InvalidInput, match=r"fetch cifar-quickdraw --cache /nowhere/cache\n"):
        opened_from(source, DatasetRequest(cache=Path("/nowhere/cache/images")))


def test_files_in_the_cache_are_found_though_there_is_a_data_root(
    source: PublishedSource, root: Path
) -> None:
    there = opened(source, root)
    cache = root / "cache" / "images"
    (root / NAME).rename(cache / NAME)
    assert opened(source, root).fingerprint == there.fingerprint


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("cat.npy", b"<html>not found</html>", r"cat\.npy' cannot be used \(not an \.npy file\)"),
        ("cat.npy", b"", "not an .npy file"),
        ("cat.npy", np.zeros((40, 784), np.float32), r"float32 of shape \(40, 784\)"),
        ("cat.npy", np.zeros((40, 28, 28), np.uint8), r"uint8 of shape \(40, 28, 28\)"),
        ("cat.npy", np.zeros((29, 784), np.uint8), "29 drawings, 30 are required"),
        ("cat.npy", np.zeros((40, 784), np.uint8), "all drawings of a category are identical"),
        ("cat.npy", np.array([{}], dtype=object), "not an .npy file"),
        ("cifar-10-python.tar.gz", b"PK", "MD5 [0-9a-f]{32}, published: "),
    ],
)
def test_wrong_file_is_named_with_the_reason(
    file: str, content: object, reason: str, source: PublishedSource, root: Path
) -> None:
    place = root / NAME / file
    if isinstance(content, bytes):
        place.write_bytes(content)
    else:
        np.save(place, content)  # type: ignore[call-overload]  # an array
    with pytest.raises(InvalidInput, match=reason):
        opened(source, root)


def test_pickle_in_the_archive_runs_no_code(publisher: Publisher, root: Path) -> None:
    """Even an archive of the right checksum can only make lists, strings and arrays."""
    tar = cifar_tar(np.random.RandomState(1), first=pickle.dumps(print, protocol=2))
    (root / NAME / "cifar-10-python.tar.gz").write_bytes(tar)
    facts = little_source(publisher)
    checksum = {"md5": md5(tar, usedforsecurity=False).hexdigest()}
    forged = facts.model_copy(update={"photos": facts.photos.model_copy(update=checksum)})
    with pytest.raises(InvalidInput, match=r"__builtin__\.print in a batch of CIFAR-10"):
        opened(forged, root)
