"""Fetching over connections that break and from servers that err."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from publisher import COUNT, TAR, Publisher, Request, bitmaps, little_files, little_source

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.cifar_quickdraw.dataset import opened_from
from dfbench.datasets.cifar_quickdraw.fetching import fetch
from dfbench.datasets.cifar_quickdraw.server import FetchFault, Server
from dfbench.datasets.cifar_quickdraw.source import NAME, PublishedSource
from dfbench.errors import InvalidInput
from dfbench.system.file_errors import DiskFull

CAT = "/numpy_bitmap/cat.npy"
HEADER = 128
SIZE = HEADER + COUNT * 784
"""Bytes of a bitmap file that are needed."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "*")
    published = Publisher(little_files())
    with published.running():
        yield published


@pytest.fixture
def source(publisher: Publisher) -> PublishedSource:
    """Three classes are enough, and quicker."""
    every = little_source(publisher)
    return every.model_copy(update={"classes": every.classes[-6:-5] + every.classes[-2:]})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / NAME


@pytest.fixture
def only_cats(publisher: Publisher, source: PublishedSource, home: Path) -> Publisher:
    """All is fetched but the drawings of cats, and the requests for it are forgotten."""
    get(source, home)
    (home / "cat.npy").unlink()
    publisher.requests.clear()
    return publisher


def get(source: PublishedSource, home: Path) -> list[str]:
    return [piece.title for piece in fetch(source, home, Server(pause=0.001))]


def opened(source: PublishedSource, home: Path) -> Dataset:
    return opened_from(source, DatasetRequest(cache=home.parent / "cache", root=home.parent))


def fetched(path: Path) -> np.ndarray:  # type: ignore[type-arg]  # of bytes
    rows: np.ndarray = np.load(path)  # type: ignore[type-arg]  # of bytes
    return rows


def wanted(publisher: Publisher, path: str = CAT) -> np.ndarray:  # type: ignore[type-arg]  # of bytes
    return np.frombuffer(publisher.files[path], np.uint8, offset=HEADER).reshape(-1, 784)[:COUNT]


def cut_after(count: int) -> Callable[[Request], None]:
    def fault(request: Request) -> None:
        request.cut = count

    return fault


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[Request], None]:
    def fault(request: Request) -> None:
        request.status, request.body = status, body
        request.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def fine(_: Request) -> None: ...


def test_fetched_files_open_like_those_put_there_by_hand(
    publisher: Publisher, source: PublishedSource, home: Path, tmp_path: Path
) -> None:
    assert get(source, home) == [
        "CIFAR-10",
        *(f"drawings of {shared.category!r}" for shared in source.classes),
    ]
    by_hand = tmp_path / "by hand" / NAME
    by_hand.mkdir(parents=True)
    for path, content in publisher.files.items():
        (by_hand / path.rpartition("/")[2]).write_bytes(content)
    assert opened(source, home).fingerprint == opened(source, by_hand).fingerprint
    assert sorted(path.name for path in home.iterdir()) == sorted(
        [TAR, "checksums.json", *(f"{shared.category}.npy" for shared in source.classes)]
    )


def test_only_the_first_drawings_are_asked_for(
    publisher: Publisher, source: PublishedSource, home: Path
) -> None:
    get(source, home)
    asked = [request for request in publisher.requests if request.path == CAT]
    assert sum(len(request.body) for request in asked) == SIZE < len(publisher.files[CAT])
    assert np.array_equal(fetched(home / "cat.npy"), wanted(publisher))


def test_second_fetch_asks_for_nothing(
    publisher: Publisher, source: PublishedSource, home: Path
) -> None:
    get(source, home)
    publisher.requests.clear()
    assert get(source, home) == []
    assert publisher.requests == []


def test_broken_connection_is_continued_where_it_broke(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.faults = [fine, cut_after(5000), cut_after(1), cut_after(0), cut_after(9000)]
    get(source, home)
    assert [request.start for request in only_cats.requests] == [0, 1024, 6024, 6025, 6025, 15025]
    assert only_cats.bytes_sent == SIZE
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


def test_body_shorter_than_its_named_part_is_continued(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    def short(request: Request) -> None:
        request.body = request.body[:-1000]

    only_cats.faults = [fine, short]
    get(source, home)
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


def test_what_has_come_is_kept_for_the_next_command(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.faults = [fine, cut_after(5000), *[cut_after(0)] * 5]
    with pytest.raises(FetchFault, match=r"cat\.npy cannot be fetched .*6024 bytes received and"):
        get(source, home)
    assert not (home / "cat.npy").exists()
    only_cats.requests.clear()
    get(source, home)
    assert [request.start for request in only_cats.requests] == [6024]
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


def test_archive_of_photos_is_continued_too(
    publisher: Publisher, source: PublishedSource, home: Path
) -> None:
    publisher.faults = [cut_after(7000), *[cut_after(0)] * 5]
    with pytest.raises(FetchFault, match=r"cifar-10-python\.tar\.gz cannot be fetched"):
        get(source, home)
    get(source, home)
    assert [r.start for r in publisher.requests if r.path == f"/{TAR}"][-1] == 7000
    assert (home / TAR).read_bytes() == publisher.files[f"/{TAR}"]


def test_file_that_changed_meanwhile_is_begun_anew(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.faults = [fine, cut_after(5000), *[cut_after(0)] * 5]
    with pytest.raises(FetchFault):
        get(source, home)
    only_cats.files[CAT] = bitmaps(np.random.RandomState(7))
    only_cats.versions[CAT] = '"two"'
    get(source, home)
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


def test_file_that_has_become_shorter_than_what_came_is_begun_anew(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.faults = [fine, cut_after(15000), *[cut_after(0)] * 5]
    with pytest.raises(FetchFault):
        get(source, home)
    only_cats.files[CAT] = bitmaps(np.random.RandomState(7), 10)
    for said in ("changed during the download: repeat", "has 10 drawings, 30 are required"):
        with pytest.raises(FetchFault, match=said):
            get(source, home)


def test_server_that_ignores_ranges_is_left_when_there_is_enough(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    def whole(request: Request) -> None:
        request.status, request.body = 200, only_cats.files[CAT]
        request.headers.pop("Content-Range")

    only_cats.faults = [whole, whole]
    get(source, home)
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


@pytest.mark.parametrize(
    "given", ["bytes 0-99/27000", "bytes 1025-30000/27000", "garbage", "bytes */27000", ""]
)
def test_wrong_part_is_refused(
    given: str, only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    def wrong(request: Request) -> None:
        request.headers["Content-Range"] = given

    only_cats.faults = [fine, wrong]
    with pytest.raises(FetchFault, match=r"instead of bytes 1024 to 23647"):
        get(source, home)
    get(source, home)
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


def test_absent_file_is_named_with_the_way_by_hand(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    content = only_cats.files.pop(CAT)
    with pytest.raises(
        FetchFault,
        match=r"/cat\.npy responds with 404 .*download the file manually to '.*/cat\.npy'",
    ):
        get(source, home)
    (home / "cat.npy").write_bytes(content)
    assert get(source, home) == []
    assert opened(source, home).classes


def test_busy_server_is_asked_again(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.faults = [answer(503), answer(503), fine]
    get(source, home)
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))
    (home / "cat.npy").unlink()
    only_cats.faults = [answer(503)] * 9
    with pytest.raises(FetchFault, match="responds with 503"):
        get(source, home)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Sign in to the network of this hotel</html>" * 600,
        b"\x93NUMPY\x01\x00\xff\xffgarbage" + b"x" * 30000,
        b"\x93NUMPY\x09\x09" + b"x" * 30000,
        b"",
    ],
)
def test_what_is_no_bitmap_file_is_dropped(
    content: bytes, only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.files[CAT], good = content, only_cats.files[CAT]
    with pytest.raises(
        FetchFault, match=r"cat\.npy (is not a file of 28|responds with 416|cannot be)"
    ):
        get(source, home)
    only_cats.files[CAT] = good
    get(source, home)
    assert np.array_equal(fetched(home / "cat.npy"), wanted(only_cats))


def test_published_file_cut_short_is_no_bitmap_file(
    only_cats: Publisher, source: PublishedSource, home: Path
) -> None:
    only_cats.files[CAT] = only_cats.files[CAT][:9000]
    with pytest.raises(FetchFault, match="ends before its drawing 30"):
        get(source, home)


def test_archive_with_another_checksum_is_dropped(
    publisher: Publisher, source: PublishedSource, home: Path
) -> None:
    good = publisher.files[f"/{TAR}"]
    publisher.files[f"/{TAR}"] = good[:5000] + b"?" + good[5001:]
    with pytest.raises(FetchFault, match="whose checksum is not that of CIFAR-10"):
        get(source, home)
    assert not (home / TAR).exists()
    publisher.files[f"/{TAR}"] = good
    assert get(source, home)[0] == "CIFAR-10"


def test_nobody_listening_is_one_clear_line(source: PublishedSource, home: Path) -> None:
    address = {"url": "http://127.0.0.1:9/cifar-10-python.tar.gz"}
    offline = source.model_copy(update={"photos": source.photos.model_copy(update=address)})
    with pytest.raises(FetchFault, match=r"cannot be fetched \(.*\): repeat .*manually to"):
        get(offline, home)


def test_stored_drawing_that_changed_is_noticed_and_fetched_again(
    source: PublishedSource, home: Path
) -> None:
    get(source, home)
    content = bytearray((home / "cat.npy").read_bytes())
    content[5000] ^= 1
    (home / "cat.npy").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"cat\.npy' cannot be used \(its checksum differs"):
        opened(source, home)
    assert get(source, home) == ["drawings of 'cat'"]
    assert opened(source, home).classes


def test_checksums_that_are_damaged_are_named(source: PublishedSource, home: Path) -> None:
    get(source, home)
    for text in ("{", "[]", '{"cat": 3}'):
        (home / "checksums.json").write_text(text)
        with pytest.raises(InvalidInput, match=r"checksums\.json' is damaged: remove it"):
            opened(source, home)


def test_origin_of_the_drawings_is_noted(
    publisher: Publisher, source: PublishedSource, home: Path
) -> None:
    get(source, home)
    entry = json.loads((home / "checksums.json").read_text())["cruise ship"]
    assert entry["url"] == f"{publisher.address}/numpy_bitmap/cruise%20ship.npy"
    assert (entry["drawings"], entry["of"], entry["version"]) == (COUNT, COUNT + 4, '"one"')


def test_full_disk_leaves_no_file_that_looks_whole(
    source: PublishedSource, home: Path, full_disk: Callable[[int], None]
) -> None:
    get(source, home)
    (home / "cat.npy").unlink()
    full_disk(20000)
    with pytest.raises(DiskFull, match=r"no space left to write .*cat\.npy"):
        get(source, home)
    assert not (home / "cat.npy").exists()


def test_two_do_not_fetch_at_once(source: PublishedSource, home: Path) -> None:
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(get(source, home))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, 4]
