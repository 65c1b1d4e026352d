from __future__ import annotations

import shutil
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dfbench.datasets.dataset import ImageSet
from dfbench.errors import DfbenchError
from dfbench.modality import MODALITIES
from dfbench.process import handover
from dfbench.process.handover import TestImages, awaited_images, handed_over

IMAGES = {"photo": np.ones((2, 3, 4, 4), np.uint8), "sketch": np.zeros((1, 3, 4, 4), np.uint8)}
MAKE = {name: (lambda name=name: IMAGES[name]) for name in IMAGES}


def test_images_are_there_from_being_asked_for_until_the_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with handed_over(tmp_path, MAKE) as attend:
        attend()
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setattr(handover, "_pause", attend)
        given = awaited_images(tmp_path)
        assert {file.name for file in tmp_path.iterdir()} == {"photo.npy", "sketch.npy"}
        assert all(np.array_equal(given[name], IMAGES[name]) for name in IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_images_left_by_a_killed_run_are_gone_before_the_next_method_fits(tmp_path: Path) -> None:
    np.save(tmp_path / "photo.npy", IMAGES["photo"])
    (tmp_path / "fitted").touch()
    with handed_over(tmp_path, MAKE) as attend:
        attend()
        assert list(tmp_path.iterdir()) == []


def test_images_are_waited_for(tmp_path: Path) -> None:
    given = []
    waiting = threading.Thread(target=lambda: given.append(awaited_images(tmp_path)))
    with handed_over(tmp_path, MAKE) as attend:
        waiting.start()
        while waiting.is_alive():
            attend()
    assert set(given[0]) == {"photo", "sketch"}


def test_images_that_cannot_come_any_more_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, happens in {
        "folder removed": lambda folder: shutil.rmtree(folder),
        "folder moved": lambda folder: folder.rename(tmp_path / "elsewhere"),
        "request removed": lambda folder: (folder / "fitted").unlink(),
        "all files removed": lambda folder: [file.unlink() for file in folder.iterdir()],
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(handover, "_pause", lambda h=happens, f=folder: h(f))
        with pytest.raises(DfbenchError, match=r"removed during .* repeat the"):
            awaited_images(folder)


def test_images_are_not_asked_for_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(DfbenchError, match="removed during the run"):
        awaited_images(tmp_path / "gone")


@pytest.mark.parametrize("replaced", [True, False])
def test_run_ends_once_its_folder_is_removed_or_another(tmp_path: Path, replaced: bool) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with handed_over(folder, MAKE) as attend:
        attend()
        folder.rename(tmp_path / "before")
        if replaced:
            folder.mkdir()
        with pytest.raises(DfbenchError, match="was removed during the run"):
            attend()


def test_request_is_kept_until_all_arrays_are_there(tmp_path: Path) -> None:
    seen = []

    def look(name: str) -> np.ndarray:
        seen.append((tmp_path / "fitted").exists())
        return IMAGES[name]

    with handed_over(tmp_path, {name: partial(look, name) for name in IMAGES}) as attend:
        (tmp_path / "fitted").touch()
        attend()
    assert seen == [True, True]


def test_two_attempts_at_one_fit_hand_over_different_orders() -> None:
    sets = {m: _images(m) for m in MODALITIES}
    one, other = TestImages.shuffled(sets), TestImages.shuffled(sets)
    for modality in MODALITIES:
        assert sorted(one.orders[modality]) == list(range(60))
        assert not np.array_equal(one.orders[modality], other.orders[modality])
        rows = np.asarray(one.arrays()[modality]()[:], np.float32).reshape(60, -1)
        restored = one.restored(modality, rows)
        assert np.array_equal(restored, sets[modality].images[:].reshape(60, -1))


def test_order_is_found_again_where_the_labels_are(tmp_path: Path) -> None:
    images = TestImages.shuffled({m: _images(m) for m in MODALITIES})
    images.save_labels(tmp_path)
    again = TestImages.stored(images.sets, tmp_path)
    assert all(np.array_equal(again.orders[m], images.orders[m]) for m in MODALITIES)


def _images(modality: str) -> ImageSet:
    random = np.random.default_rng(len(modality))
    names = tuple(f"{modality}/{number}" for number in range(60))
    images = random.integers(256, size=(60, 3, 4, 4), dtype=np.uint8)
    return ImageSet(images, np.arange(60) % 3, ("a", "b", "c"), names)
