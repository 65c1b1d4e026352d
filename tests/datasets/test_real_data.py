from __future__ import annotations

from pathlib import Path

import pytest

from dfbench.datasets import DatasetRequest
from dfbench.datasets.folder.opening import open_folder, packaged_lists
from dfbench.datasets.known import (
    class_shortfalls,
    inventory,
    listed_but_missing,
    open_pacs,
    total_shortfalls,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="real images are not on this machine")


def _present(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not on this machine")
    return DATA / name


def test_known_folder_gets_its_class_list(tmp_path: Path) -> None:
    dataset = open_folder(DatasetRequest(cache=tmp_path, argument=str(DATA / "qd_photo32")))
    assert dataset.image_size == 32
    assert len(dataset.classes) == 10
    assert len(dataset.alternative_classes) == 8
    assert not {"airplane", "bird", "horse"} & {*dataset.classes, *dataset.alternative_classes}
    assert "class list qd_photo32 applied" in dataset.notes[0]
    assert "--classes all" in dataset.notes[0]
    assert len(dataset.images("photo", "train")) == 4000
    assert len(dataset.images("photo", "test")) == 1000
    assert dataset.images("sketch", "test").images.shape[1] == 1


@pytest.mark.parametrize(
    ("name", "benchmark", "spare", "photos"),
    [("qd_tiny21", 10, 11, 10 * 240), ("qd_tiny65", 44, 21, 44 * 160)],
)
def test_known_folder_of_64_pixel_photos_gets_its_class_list(
    tmp_path: Path, name: str, benchmark: int, spare: int, photos: int
) -> None:
    dataset = open_folder(
        DatasetRequest(cache=tmp_path, argument=str(_present(name)), image_size=16)
    )
    assert f"class list {name} applied" in dataset.notes[0]
    assert (len(dataset.classes), len(dataset.alternative_classes)) == (benchmark, spare)
    assert len(dataset.images("photo", "train")) == photos


def test_loosely_matching_words_are_spare_classes() -> None:
    (known,) = (known for known in packaged_lists() if known.name == "qd_tiny65")
    text = (_present("qd_tiny65") / "PROVENANCE.md").read_text(encoding="utf-8")
    loose = text.split("## Loose matches")[1].split("\n")[1]
    assert set(known.alternative) == {part.split(" ")[0] for part in loose.split("), ")}


def test_large_images_are_opened_at_64_pixels(tmp_path: Path) -> None:
    request = DatasetRequest(
        cache=tmp_path, argument=str(DATA / "pacs"), classes=("horse", "house")
    )
    dataset = open_folder(request)
    assert dataset.image_size == 64
    assert dataset.notes == ()


def test_pacs_loads_alike_by_name_and_as_a_folder(tmp_path: Path) -> None:
    named = open_pacs(DatasetRequest(cache=tmp_path, root=DATA, image_size=16))
    folder = open_folder(DatasetRequest(cache=tmp_path, argument=str(DATA / "pacs"), image_size=16))
    assert (named.name, folder.name) == ("pacs", "folder:pacs")
    assert len(named.classes) == 7
    assert named.fingerprint == folder.fingerprint
    assert [len(named.images("photo", p)) for p in ("train", "test")] == [1337, 333]  # type: ignore[arg-type]  # parts
    assert [len(named.images("sketch", p)) for p in ("train", "test")] == [3143, 786]  # type: ignore[arg-type]  # parts
    assert not any("published" in note for note in named.notes)


def test_pacs_is_complete() -> None:
    found = inventory("pacs", DATA)
    assert found.problems == total_shortfalls(found) == class_shortfalls(found) == ()
    assert listed_but_missing(found) == ()


def test_pacs_is_not_taken_for_another_dataset() -> None:
    assert len(inventory("tuberlin", DATA / "pacs").absent("photo")) > 240
