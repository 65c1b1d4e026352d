from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from dfbench.runs import handover
from dfbench.runs.handover import awaited_images, handed_over

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
