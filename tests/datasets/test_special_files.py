"""Named pipes, sockets, devices and link loops among images and records are never waited for."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dfbench.datasets import DatasetRequest
from dfbench.datasets.folder.opening import open_folder
from dfbench.datasets.images.decoding import decoded, longest_side
from dfbench.datasets.images.files import duplicates, unreadable
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.records.store import ResultStore
from dfbench.retrieval.search import read_sketch
from dfbench.retrieval.sheet import thumbnail
from dfbench.suites.file import read_suite
from dfbench.system.files import read_file
from dfbench.teachers.class_list import class_list

Maker = Callable[..., Path]


def _socket(place: Path) -> None:
    here = Path.cwd()
    os.chdir(place.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(here)


SPECIAL = {
    "a named pipe, not a file": os.mkfifo,
    "a socket, not a file": _socket,
    "a device, not a file": lambda place: place.symlink_to("/dev/zero"),
    "Too many levels of symbolic links": lambda place: place.symlink_to(place.name),
}


@pytest.fixture(params=SPECIAL.items(), ids=["pipe", "socket", "device", "loop"])
def special(request: pytest.FixtureRequest) -> tuple[str, Callable[[Path], None]]:
    found: tuple[str, Callable[[Path], None]] = request.param
    return found


Special = tuple[str, Callable[[Path], None]]


def test_image_that_is_no_file_is_named_and_can_be_left_out(
    special: Special, make_folder: Maker
) -> None:
    told, make = special
    root = make_folder({"cat": 6, "dog": 6})
    make(root / "photo" / "cat" / "0a.png")
    request = DatasetRequest(cache=root.parent / "cache", argument=str(root))
    with pytest.raises(InvalidInput, match=rf"0a\.png' \({told}\).*--skip-unreadable"):
        open_folder(request)
    skipping = DatasetRequest(cache=root.parent / "cache", argument=str(root), skip_unreadable=True)
    assert "1 unreadable image files left out" in open_folder(skipping).notes


def test_readers_of_single_files_name_what_is_no_file(special: Special, tmp_path: Path) -> None:
    told, make = special
    place = tmp_path / "thing.png"
    make(place)
    with pytest.raises(UnreadableImageError, match=told):
        decoded(place, 8)
    with pytest.raises(UnreadableImageError, match=told):
        longest_side(place)
    with pytest.raises(UnreadableImageError, match=told):
        thumbnail(place, 8)
    with pytest.raises(InvalidInput, match=told):
        read_sketch(place, 8)
    with pytest.raises(OSError, match=told):
        read_file(place)
    assert unreadable([place], decode=False) == {place: told}


def test_class_lists_and_suites_that_are_no_files_are_refused(
    special: Special, tmp_path: Path
) -> None:
    told, make = special
    make(tmp_path / "classes.txt")
    with pytest.raises(InvalidInput, match=told):
        class_list(str(tmp_path / "classes.txt"))
    with pytest.raises(InvalidInput, match=f"(?i){told}"):
        read_suite(tmp_path / "classes.txt")


def test_records_that_are_no_files_are_problems(special: Special, tmp_path: Path) -> None:
    told, make = special
    (tmp_path / "shapes").mkdir()
    make(tmp_path / "shapes" / "crossx-s0-0123456789ab.json")
    store = ResultStore(tmp_path)
    assert list(store) == []
    assert told in str(store.problems[0])
    with pytest.raises(InvalidInput, match=told):
        store.find("0123456789ab" + "0" * 20)


def test_pipes_of_one_size_are_not_compared(tmp_path: Path) -> None:
    places = [tmp_path / "a.png", tmp_path / "b.png"]
    for place in places:
        os.mkfifo(place)
    with pytest.raises(InvalidInput, match="a named pipe, not a file"):
        duplicates(places)


def test_link_to_a_file_is_followed(make_folder: Maker) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    file = root / "photo" / "cat" / "0.png"
    shutil.move(file, root / "elsewhere.png")
    file.symlink_to(root / "elsewhere.png")
    dataset = open_folder(DatasetRequest(cache=root.parent / "cache", argument=str(root)))
    names = [*dataset.images("photo", "train").names, *dataset.images("photo", "test").names]
    assert "photo/cat/0.png" in names
