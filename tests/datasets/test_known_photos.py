"""Which photos belong to a variant, and which images are held out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from trees import SOME, df_sbir, miniature, picture, sketchy_archive, tuberlin_archive, write

from dfbench.datasets import MODALITIES, Dataset, DatasetRequest
from dfbench.datasets.known import inventory
from dfbench.datasets.known.opening import open_known
from dfbench.errors import InvalidInput

MINI = miniature(SOME["sketchy"], 12, 6, added=4)
CLASSES = len(SOME["sketchy"])


def opened(name: str, root: Path, **asked: object) -> Dataset:
    request = DatasetRequest(cache=root.parent / "cache", root=root, classes=("all",), **asked)  # type: ignore[arg-type]  # keyword arguments
    return open_known(request, name=name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    sketchy_archive(tmp_path / "data", MINI)
    return tmp_path / "data"


def names(dataset: Dataset) -> list[str]:
    return [n for part in ("train", "test") for n in dataset.images("photo", part).names]  # type: ignore[arg-type]  # a part


def test_extended_folder_is_the_whole_extended_set(root: Path) -> None:
    assert all(name.startswith("EXTEND_image") for name in names(opened("sketchy-ext", root)))
    assert len(names(opened("sketchy-ext", root))) == 10 * CLASSES
    assert len(names(opened("sketchy", root))) == 6 * CLASSES


def test_original_photos_are_added_where_the_extended_folder_lacks_them(root: Path) -> None:
    before = opened("sketchy-ext", root).fingerprint
    for file in (root / "EXTEND_image_sketchy").glob("*/n0*"):
        file.unlink()
    assert opened("sketchy-ext", root).fingerprint == before


def test_original_photos_are_added_class_by_class(root: Path) -> None:
    before = opened("sketchy-ext", root).fingerprint
    for file in (root / "EXTEND_image_sketchy/zebra").glob("n0*"):
        file.unlink()
    shutil.rmtree(root / "EXTEND_image_sketchy/alarm_clock")
    write(root / "EXTEND_image_sketchy", {"alarm_clock": MINI.added["alarm_clock"]}, ".jpg")
    assert opened("sketchy-ext", root).fingerprint == before


def test_extended_set_without_added_photos_is_refused(root: Path) -> None:
    shutil.rmtree(root / "EXTEND_image_sketchy")
    with pytest.raises(
        InvalidInput, match=r"none of the added photos \(ext_\*\).*--dataset sketchy"
    ):
        opened("sketchy-ext", root)
    assert len(names(opened("sketchy", root))) == 6 * CLASSES


def test_duplicates_count_twice_and_stay_together(root: Path) -> None:
    for seed, file in enumerate(sorted((root / "256x256/photo/tx_000000000000").glob("*/*"))):
        file.write_bytes(picture(np.random.RandomState(seed + 1), 3))
    single = opened("sketchy-ext", root)
    double = opened("sketchy-ext", root, duplicate_photos=True)
    assert len(names(double)) == len(set(names(double))) == 16 * CLASSES
    assert double.fingerprint != single.fingerprint
    assert any("counted twice" in note for note in double.notes)
    sides = [
        {"/".join(n.split("/")[-2:]) for n in double.images("photo", part).names}
        for part in ("train", "test")
    ]
    assert not sides[0] & sides[1]


def test_equal_duplicates_count_twice_too(root: Path) -> None:
    assert len(names(opened("sketchy-ext", root, duplicate_photos=True))) == 16 * CLASSES


def test_duplicates_nobody_has_are_refused(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "256x256/photo")
    with pytest.raises(InvalidInput, match="no second copy of the original photos"):
        opened("sketchy-ext", root, duplicate_photos=True)
    with pytest.raises(InvalidInput, match="only sketchy-ext is published with photos counted"):
        opened("sketchy", root, duplicate_photos=True)
    tuberlin_archive(tmp_path / "tu", miniature(SOME["tuberlin"]))
    with pytest.raises(InvalidInput, match="only sketchy-ext"):
        opened("tuberlin", tmp_path / "tu", duplicate_photos=True)


def test_a_file_that_lies_in_two_folders_of_a_place_counts_once(tmp_path: Path) -> None:
    mini = miniature(SOME["pacs"], 8, 8)
    df_sbir(tmp_path / "data", mini)
    before = opened("pacs", tmp_path / "data")
    write(tmp_path / "data/test/photo", mini.photo, ".jpg")
    after = opened("pacs", tmp_path / "data")
    assert after.fingerprint == before.fingerprint
    assert "12 duplicate files in two folders counted once" in after.notes


def test_holdout_of_the_literature(tmp_path: Path) -> None:
    mini = miniature(SOME["tuberlin"], 25, 8)
    tuberlin_archive(tmp_path / "data", mini)
    dataset = opened("tuberlin", tmp_path / "data", holdout="literature")
    usual = opened("tuberlin", tmp_path / "data")
    assert set(np.bincount(dataset.images("sketch", "test").labels)) == {10}
    assert set(np.bincount(dataset.images("sketch", "train").labels)) == {15}
    train, test = (dataset.images("photo", part) for part in ("train", "test"))
    assert train.names == test.names
    assert len(test) == len(test.images) == 8 * len(mini.photo)
    assert any("the photo teacher is trained on gallery photos" in note for note in dataset.notes)
    assert dataset.fingerprint != usual.fingerprint
    assert [len(usual.images(m, "test")) for m in MODALITIES] == [2 * 7, 5 * 7]


def test_too_few_sketches_for_the_holdout_are_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match=r"too few.*sketch/.*\(12 files, at least 51 required\)"):
        opened("sketchy", root, holdout="literature")


def test_holdout_nobody_published_is_refused(tmp_path: Path) -> None:
    df_sbir(tmp_path / "data", miniature(SOME["quickdraw"]))
    with pytest.raises(InvalidInput, match="none is published for quickdraw"):
        opened("quickdraw", tmp_path / "data", holdout="literature")


def test_inventory_keeps_what_a_variant_does_not_use(root: Path) -> None:
    found = inventory("sketchy", root)
    assert found.count("photo") == 6 * CLASSES
    assert sum(map(len, found.held["extended"].values())) == 10 * CLASSES
