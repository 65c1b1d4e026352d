"""Every layout of the published datasets is recognised and loads to the same dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trees import LAYOUTS, SOME, Miniature, miniature, squeezed, underscored, write

from dfbench.datasets import MODALITIES, Dataset, DatasetRequest
from dfbench.datasets.known import VARIANTS, inventory, listed_but_missing, variant
from dfbench.datasets.known.opening import open_known

CASES = [
    (name, layout) for name, kind in VARIANTS.items() for layout in sorted(LAYOUTS[kind.dataset])
]


def some(name: str) -> Miniature:
    kind = VARIANTS[name]
    return miniature(SOME[kind.dataset], 5, 5, added=6 if kind.dataset == "sketchy" else 0)


def opened(name: str, root: Path, cache: Path) -> Dataset:
    return open_known(DatasetRequest(cache=cache, root=root, classes=("all",)), name=name)


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_each_layout_loads_to_the_same_dataset(name: str, layout: str, tmp_path: Path) -> None:
    mini = some(name)
    LAYOUTS[VARIANTS[name].dataset][layout](tmp_path / "data", mini)
    dataset = opened(name, tmp_path / "data", tmp_path / "cache")
    photos = mini.extended if VARIANTS[name].extended else mini.photo
    assert dataset.name == VARIANTS[name].name
    assert dataset.classes == tuple(sorted(mini.sketch))
    for modality, images in zip(MODALITIES, (photos, mini.sketch), strict=True):
        sets = [dataset.images(modality, part) for part in ("train", "test")]
        counts = sum(np.bincount(found.labels, minlength=len(images)) for found in sets)
        assert counts.tolist() == [len(images[c]) for c in dataset.classes]  # type: ignore[union-attr]  # an array
    write(tmp_path / "plain/photo", photos, ".png")
    write(tmp_path / "plain/sketch", mini.sketch, ".png")
    assert dataset.fingerprint == opened_folder(tmp_path / "plain", tmp_path / "cache").fingerprint


def opened_folder(root: Path, cache: Path) -> Dataset:
    from dfbench.datasets.folder.opening import open_folder

    return open_folder(DatasetRequest(cache=cache, argument=str(root)))


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_no_layout_has_anything_to_complain_of(name: str, layout: str, tmp_path: Path) -> None:
    LAYOUTS[VARIANTS[name].dataset][layout](tmp_path, some(name))
    found = inventory(name, tmp_path)
    assert {problem.kind for problem in found.problems} == {"missing class"}
    assert listed_but_missing(found) == ()


@pytest.mark.parametrize("below", ["", "datasets", "datasets/TUBerlin"])
def test_data_root_may_be_the_folder_or_one_above_it(below: str, tmp_path: Path) -> None:
    LAYOUTS["tuberlin"]["SAKE"](tmp_path, some("tuberlin"))
    assert inventory("tuberlin", tmp_path / below).count("photo") == 7 * 5


def test_datasets_lie_side_by_side(tmp_path: Path) -> None:
    for name, layout in (("sketchy", "SEM-PCYC"), ("tuberlin", "SEM-PCYC"), ("quickdraw", "SAKE")):
        LAYOUTS[name][layout](tmp_path, some(name))
    for name in ("sketchy", "tuberlin", "quickdraw"):
        assert inventory(name, tmp_path).count("sketch") == 5 * len(SOME[name])


def test_sketches_and_photos_may_follow_different_layouts(tmp_path: Path) -> None:
    mini = some("tuberlin")
    write(tmp_path / "TU-Berlin/sketches", mini.sketch, ".png", underscored)
    write(tmp_path / "TU-Berlin/ImageResized", mini.photo, ".JPEG", squeezed)
    found = inventory("tuberlin", tmp_path)
    assert {p.place.layout for p in found.places.values()} == {
        "AMLD, SEM-PCYC, Doodle2Search",
        "the original archive",
    }
    assert found.count("sketch") == found.count("photo") == 7 * 5


@pytest.mark.parametrize("name", sorted({kind.dataset for kind in VARIANTS.values()}))
def test_every_class_is_found_under_each_way_of_writing_it(name: str) -> None:
    known = variant(name).known
    for spelling in (str.upper, underscored, lambda c: c.replace("_", " "), squeezed):
        if spelling is squeezed and name != "tuberlin":
            continue
        assert [known.class_of(spelling(c)) for c in known.classes] == list(known.classes)
    assert known.class_of("no such thing") is None


def test_listed_misspellings_of_the_photo_archive_lead_to_their_class() -> None:
    known = variant("tuberlin").known
    wrong = "spacesshuttle wristwatching tromobone chandeler griaffe diamod spidar mouse pipe"
    meant = "space shuttle|wrist-watch|trombone|chandelier|giraffe|diamond|spider|mouse (animal)"
    assert [known.class_of(name) for name in wrong.split()] == [
        *meant.split("|"),
        "pipe (for smoking)",
    ]
    assert known.class_of("computermouse") == "computer-mouse"


def test_a_file_that_a_list_names_and_nobody_has_is_reported(tmp_path: Path) -> None:
    LAYOUTS["tuberlin"]["SAKE"](tmp_path, some("tuberlin"))
    next((tmp_path / "datasets/TUBerlin/ImageResized_ready/bear (animal)").iterdir()).unlink()
    (problem,) = listed_but_missing(inventory("tuberlin", tmp_path))
    assert "lists 1 images (of 35) that are missing" in problem.text
    assert "ImageResized_ready/bear (animal)/n0" in problem.text


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_table_of_images_is_read_with_a_byte_order_mark(mark: str, tmp_path: Path) -> None:
    LAYOUTS["tuberlin"]["SAKE"](tmp_path, some("tuberlin"))
    table = tmp_path / "datasets/TUBerlin/list.csv"
    table.write_text(f"{mark}img_path,label\nbear (animal)/absent.jpg,0\n", encoding="utf-8")
    (problem,) = listed_but_missing(inventory("tuberlin", tmp_path))
    assert "lists 1 images (of 1)" in problem.text
