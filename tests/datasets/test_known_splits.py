"""Class lists, splits and counts are the published ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from trees import many, miniature, sketch_lvm, sketchy_archive

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.known import VARIANTS, class_shortfalls, inventory, total_shortfalls, variant
from dfbench.datasets.known.facts import class_key
from dfbench.datasets.known.opening import open_known

CLASSES = {"sketchy": 125, "tuberlin": 250, "quickdraw": 110, "pacs": 7}
SPLITS = {
    ("sketchy-ext", "S21"): (104, 21, 12694, 10453),
    ("sketchy-ext", "S25-SAKE"): (100, 25, 15229, 14601),
    ("sketchy-ext", "S25-PCYC"): (100, 25, 14421, 14626),
    ("tuberlin", "T30-SAKE"): (220, 30, 2400, 27989),
    ("tuberlin", "T30-PCYC"): (220, 30, 2400, 25708),
    ("quickdraw", "Q30"): (80, 30, 92291, 54151),
}


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Path]:
    """A folder for tens of thousands of files, gone after the test."""
    yield tmp_path / "crowd"
    shutil.rmtree(tmp_path / "crowd")


@pytest.mark.parametrize("name", CLASSES)
def test_class_list_has_the_published_length_and_no_two_alike(name: str) -> None:
    known = variant(name).known
    assert len(known.classes) == len({class_key(c) for c in known.classes}) == CLASSES[name]
    assert list(known.classes) == sorted(known.classes)
    assert set(known.spellings.values()) <= set(known.classes)
    assert known.class_source


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_split_has_the_published_sizes(name: str, split: str) -> None:
    kind = variant(name)
    found = kind.splits()[split]
    assert (len(found.seen), len(found.unseen), found.queries, found.gallery) == SPLITS[name, split]
    assert sorted((*found.seen, *found.unseen)) == list(kind.known.classes)
    assert list(found.unseen) == sorted(found.unseen)
    assert found.source


def test_every_published_split_is_here() -> None:
    assert {
        (kind.name, split) for kind in VARIANTS.values() for split in kind.splits()
    } == SPLITS.keys() | {("sketchy", split) for _, split in SPLITS if split.startswith("S")}


def test_splits_of_two_lineages_are_different_ones() -> None:
    sketchy, tuberlin = variant("sketchy").splits(), variant("tuberlin").splits()
    shared = set(sketchy["S25-SAKE"].unseen) & set(sketchy["S25-PCYC"].unseen)
    assert shared == {"bell", "squirrel", "tank", "wheelchair"}
    assert set(tuberlin["T30-SAKE"].unseen) & set(tuberlin["T30-PCYC"].unseen) == {"rollerblades"}


def test_duplicates_change_the_published_gallery() -> None:
    galleries = {n: s.gallery for n, s in variant("sketchy-ext").splits(duplicates=True).items()}
    assert galleries == {"S21": 12553, "S25-SAKE": 17101, "S25-PCYC": None}
    assert {s.gallery for s in variant("sketchy").splits().values()} == {None}


def test_small_classes_bound_the_precision_of_t30_pcyc() -> None:
    """Seven classes have fewer than 200, or not many more, photos: P@200 cannot exceed 0.960."""
    kind = variant("tuberlin")
    counts = kind.known.published_per_class["photo"]
    unseen = kind.splits()["T30-PCYC"].unseen
    assert set(counts) <= set(unseen)
    ceiling = sum(min(1, counts.get(name, 400) / 200) for name in unseen) / len(unseen)
    assert ceiling == pytest.approx(0.960, abs=5e-4)


def whole(name: str, root: Path, cache: Path) -> Dataset:
    return open_known(DatasetRequest(cache=cache, root=root), name=name)


@pytest.mark.parametrize("name", ["sketchy", "sketchy-ext"])
def test_opened_dataset_knows_its_splits(name: str, tmp_path: Path) -> None:
    mini = miniature(variant(name).known.classes, 2, 2, added=1)
    sketchy_archive(tmp_path / "data", mini)
    dataset = whole(name, tmp_path / "data", tmp_path / "cache")
    assert dataset.splits == variant(name).splits()
    for split in dataset.splits.values():
        assert set(split.seen) | set(split.unseen) == set(dataset.classes)
    some = DatasetRequest(cache=tmp_path / "cache", root=tmp_path / "data", classes=("cat", "dog"))
    assert open_known(some, name=name).splits == {}


def test_complete_tuberlin_sketches_are_complete(crowd: Path) -> None:
    classes = variant("tuberlin").known.classes
    many(crowd / "TU-Berlin/png", dict.fromkeys(classes, 80))
    many(crowd / "TU-Berlin/ImageResized", dict.fromkeys(classes, 2))
    found = inventory("tuberlin", crowd)
    (photos,) = total_shortfalls(found)
    assert photos.text.startswith("500 photos in all, 204489 were published (Zhang et al.")
    assert {p.text.split(" ")[1] for p in class_shortfalls(found)} == {"photos"}
    for split in found.variant.splits().values():
        assert found.count("sketch", split.unseen) == split.queries
    next((crowd / "TU-Berlin/png/zebra").iterdir()).unlink()
    texts = [problem.text for problem in class_shortfalls(inventory("tuberlin", crowd))]
    assert any(t.startswith("79 sketches of class 'zebra', 80 were published") for t in texts)


def test_complete_sketchy_photos_are_complete(crowd: Path) -> None:
    classes = variant("sketchy").known.classes
    many(crowd / "Sketchy/photo/tx_000000000000", dict.fromkeys(classes, 100))
    many(crowd / "Sketchy/sketch/tx_000000000000", dict.fromkeys(classes, 2))
    found = inventory("sketchy", crowd)
    assert found.count("photo") == 12500
    (sketches,) = total_shortfalls(found)
    assert sketches.text.startswith("250 sketches in all, 75481 were published")
    texts = [problem.text for problem in class_shortfalls(found)]
    assert len(texts) == 125
    assert texts[0].startswith("2 sketches of class 'airplane', 518 to 746 were published")


def test_complete_pacs_is_complete(crowd: Path) -> None:
    counts = variant("pacs").known.published_per_class
    many(crowd / "PACS/photo", counts["photo"])
    many(crowd / "PACS/sketch", counts["sketch"])
    found = inventory("pacs", crowd)
    assert (found.count("photo"), found.count("sketch")) == (1670, 3929)
    assert total_shortfalls(found) == class_shortfalls(found) == ()


def test_open_dataset_says_what_is_short(tmp_path: Path) -> None:
    sketch_lvm(tmp_path / "data", miniature(variant("pacs").known.classes))
    notes = whole("pacs", tmp_path / "data", tmp_path / "cache").notes
    assert any(n.startswith("28 photos in all, 1670 were published (Li et al.") for n in notes)
    assert any(n.startswith("28 sketches in all, 3929 were published") for n in notes)
