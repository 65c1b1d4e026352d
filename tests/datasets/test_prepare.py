"""What `dfbench data prepare` and a run without it leave in the cache, and what they read of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.folder.opening import open_folder
from dfbench.datasets.images import cache as decoded_images
from dfbench.datasets.images import chunks as chunk
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.system.file_errors import DiskFull, FileFault

Maker = Callable[..., Path]
CLASSES = {"cat": 6, "dog": 6}


def opened(root: Path, **asked: object) -> Dataset:
    asked = {"processes": 1, **asked}
    request = DatasetRequest(cache=root.parent / "cache", argument=str(root), **asked)  # type: ignore[arg-type]  # keyword arguments
    return open_folder(request)


def pixels(dataset: Dataset) -> list[bytes]:
    sets = [dataset.images(m, p) for m in ("photo", "sketch") for p in ("train", "test")]  # type: ignore[arg-type]  # modalities and parts
    return [np.asarray(found.images).tobytes() for found in sets]


def chunks(root: Path) -> list[Path]:
    return sorted((root.parent / "cache").glob("*/*.pack"))


def stamps(root: Path) -> dict[Path, tuple[int, int]]:
    cache = root.parent / "cache"
    files = (file for file in cache.rglob("*") if file.is_file())
    return {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Digests of the files that are decoded in this process, one entry for each time."""
    seen: list[str] = []
    real = chunk._content  # the one door to a source file

    def counted(file: Path, digest: str) -> bytes:
        seen.append(digest)
        return real(file, digest)

    monkeypatch.setattr(chunk, "_content", counted)
    return seen


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_images, "_CHUNK_IMAGES", 5)


def settled(root: Path) -> None:
    """Have the files look old enough for their time stamps to be trusted."""
    deadline = max(f.stat().st_ctime for f in root.rglob("*")) + 2.1
    time.sleep(max(0.0, deadline - time.time()))


def test_second_opening_reads_no_source_file_and_writes_nothing(
    make_folder: Maker, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(CLASSES)
    settled(root)
    before = pixels(opened(root))
    assert len(decoded) == 24
    left = stamps(root)
    real = Path.read_bytes

    def refused(path: Path) -> bytes:
        assert root not in path.parents
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert pixels(opened(root)) == before
    assert len(decoded) == 24
    assert stamps(root) == left


def test_only_what_changed_is_decoded_again(make_folder: Maker, decoded: list[str]) -> None:
    root = make_folder(CLASSES)
    opened(root)
    decoded.clear()
    Image.new("RGB", (20, 20), "red").save(root / "photo/cat/1.png")
    Image.new("RGB", (20, 20), "blue").save(root / "photo/dog/new.png")
    dataset = opened(root)
    assert len(decoded) == 2
    reds = [np.asarray(dataset.images("photo", part).images) for part in ("train", "test")]  # type: ignore[arg-type]  # parts
    red = np.array([255, 0, 0])[:, None, None]
    assert sum(int((images == red).all(axis=(1, 2, 3)).sum()) for images in reds) == 1


def test_other_choices_of_classes_and_hold_outs_share_what_is_decoded(
    make_folder: Maker, decoded: list[str]
) -> None:
    root = make_folder({**CLASSES, "eel": 6})
    opened(root)
    decoded.clear()
    opened(root, classes=("cat", "dog"), alternative_classes=("eel",))
    opened(root, classes=("dog", "eel"), skip_unreadable=True)
    assert decoded == []
    opened(root, image_size=16)
    assert len(decoded) == 36


@pytest.mark.usefixtures("small_chunks")
def test_two_processes_give_the_same_images_as_one(make_folder: Maker) -> None:
    root = make_folder(CLASSES)
    alone = pixels(opened(root))
    shutil.rmtree(root.parent / "cache")
    assert pixels(opened(root, processes=2)) == alone
    assert len(chunks(root)) == 5


@pytest.mark.usefixtures("small_chunks")
def test_interrupted_preparation_goes_on_where_it_ended(
    make_folder: Maker, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(CLASSES)
    expected = pixels(opened(root))
    shutil.rmtree(root.parent / "cache")
    decoded.clear()
    real = chunk.write_pack

    def interrupted(path: Path, contents: object) -> None:
        if len(chunks(root)) == 3:
            raise KeyboardInterrupt
        real(path, contents)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(chunk, "write_pack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened(root)
    assert len(decoded) == 20
    monkeypatch.setattr(chunk, "write_pack", real)
    decoded.clear()
    assert pixels(opened(root)) == expected
    assert len(decoded) == 9  # the fourth chunk, which was not written, and the fifth


_SLOW = """
import sys, time
from pathlib import Path
from dfbench.datasets import DatasetRequest
from dfbench.datasets.images import cache, chunks
from dfbench.datasets.folder.opening import open_folder

cache._CHUNK_IMAGES = 5
real = chunks._content

def slow(file, digest):
    time.sleep(0.05)
    return real(file, digest)

chunks._content = slow
root = Path(sys.argv[1])
open_folder(DatasetRequest(cache=root.parent / "cache", argument=str(root), processes=1))
"""


@pytest.mark.usefixtures("small_chunks")
def test_killed_preparation_goes_on_and_leaves_no_half_written_file(
    make_folder: Maker, decoded: list[str]
) -> None:
    root = make_folder(CLASSES)
    killed = subprocess.Popen([sys.executable, "-c", _SLOW, str(root)])
    while len(chunks(root)) < 2:
        assert killed.poll() is None
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    there = len(chunks(root))
    (chunks(root)[0].parent / ".half.pack.1-1.tmp").write_bytes(b"half")  # had it been writing
    opened(root)
    assert len(decoded) == 24 - 5 * there
    assert not list((root.parent / "cache").rglob(".*"))


@pytest.mark.usefixtures("small_chunks")
def test_two_preparations_at_once_decode_each_image_once(
    make_folder: Maker, decoded: list[str]
) -> None:
    root = make_folder(CLASSES)
    found: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: found.append(pixels(opened(root)))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 24
    assert found[0] == found[1]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("size", [32, 80])
@pytest.mark.parametrize("harm", ["flip", "cut", "gone"])
def test_damage_after_opening_is_noticed_and_mended(
    make_folder: Maker, size: int, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folder(CLASSES)
    dataset = opened(root, image_size=size)
    expected = pixels(opened(root, image_size=size))
    for path in chunks(root):
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        if harm == "gone":
            path.unlink()
        else:
            path.write_bytes(data if harm == "flip" else data[:-100])
    assert pixels(dataset) == expected
    assert "is damaged: decoding its images again" in capsys.readouterr().err
    assert pixels(opened(root, image_size=size)) == expected


def test_flipped_byte_in_large_images_is_an_error_where_nothing_can_be_written(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(CLASSES)
    dataset = opened(root, image_size=80)
    (path,) = chunks(root)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(os, "open", _read_only)
    with pytest.raises(FileFault, match=r"cannot write '.*px-v\d+': read-only file system"):
        pixels(dataset)


def _read_only(path: object, *_: object, **__: object) -> int:
    raise OSError(30, "Read-only file system", str(path))


def test_prepared_images_can_be_read_from_a_cache_that_is_read_only(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(CLASSES)
    settled(root)
    expected = pixels(opened(root))
    monkeypatch.setattr(os, "open", _read_only)  # how locks are made
    assert pixels(opened(root)) == expected
    with pytest.raises(FileFault, match=r"cannot write .*choose another place"):
        opened(root, image_size=16)


@pytest.mark.usefixtures("small_chunks")
def test_full_disk_is_named_and_what_was_written_stays(
    make_folder: Maker, full_disk: Callable[[int], None]
) -> None:
    root = make_folder(CLASSES)
    settled(root)
    opened(root)
    largest = max(path.stat().st_size for path in chunks(root))
    smallest = min(path.stat().st_size for path in chunks(root))
    for path in chunks(root):
        path.unlink()
    full_disk((largest + smallest) // 2)
    with pytest.raises(DiskFull, match=r"no space left .*repeat the same command"):
        opened(root)
    assert not list((root.parent / "cache").rglob(".*.tmp"))


def test_file_that_changes_while_it_is_prepared_is_not_taken_for_the_other(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(CLASSES)
    real = decoded_images.prepare_chunks

    def late(*arguments: object) -> None:
        Image.new("RGB", (20, 20), "red").save(root / "photo/cat/1.png")
        real(*arguments)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(decoded_images, "prepare_chunks", late)
    with pytest.raises(
        InvalidInput, match=r"cat/1\.png' changed while it was read: repeat the same"
    ):
        opened(root)


def test_all_unreadable_images_are_told_at_once_and_the_others_are_kept(
    make_folder: Maker, decoded: list[str]
) -> None:
    root = make_folder(CLASSES)
    (root / "photo/cat/0.png").write_bytes(b"")
    whole = (root / "photo/cat/1.png").read_bytes()
    (root / "photo/cat/1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match=r"photo/cat/\d\.png' \(.*\), nor 1 others: repair"):
        opened(root)
    (root / "photo/cat/0.png").unlink()
    (root / "photo/cat/1.png").unlink()
    decoded.clear()
    opened(root)
    assert decoded == []


def test_images_newly_readable_by_another_pillow_are_tried_again(
    make_folder: Maker, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(CLASSES)
    (root / "photo/cat/0.png").write_bytes(b"an image of tomorrow")
    opened(root, skip_unreadable=True)
    decoded.clear()
    opened(root, skip_unreadable=True)
    assert decoded == []
    monkeypatch.setattr("PIL.__version__", "999")
    opened(root, skip_unreadable=True)
    assert len(decoded) == 1


@pytest.fixture
def odd_images(make_folder: Maker) -> Path:
    root = make_folder(CLASSES)
    folder = root / "photo" / "cat"
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(folder / "cmyk.jpg", quality=100)
    Image.fromarray(np.full((20, 20), 65535, np.uint16)).save(folder / "deep.png")
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 255, 255, 0, 0])
    palette.save(folder / "clear.png", transparency=bytes([255, 0]))
    return root


def test_odd_kinds_of_images_are_what_they_show(odd_images: Path) -> None:
    dataset = opened(odd_images)
    found = {}
    for part in ("train", "test"):
        images = dataset.images("photo", part)  # type: ignore[arg-type]  # a part
        found |= {Path(n).name: image for n, image in zip(images.names, images.images, strict=True)}
    assert (found["deep.png"] == 255).all()
    assert (found["clear.png"] == 255).all()
    assert np.abs(found["cmyk.jpg"].astype(int) - np.array([255, 0, 0])[:, None, None]).max() <= 4


def test_dead_process_is_one_line_that_says_to_go_on(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfbench.datasets.images import chunks as preparation

    root = make_folder(CLASSES)
    monkeypatch.setattr(decoded_images, "_CHUNK_IMAGES", 5)
    monkeypatch.setattr(preparation, "_begin", _die)
    with pytest.raises(DfbenchError, match="died, perhaps out of memory: repeat the same"):
        opened(root, processes=2)


def _die() -> None:
    os._exit(9)


def test_command_prepares_and_says_what_is_ready(
    make_folder: Maker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfbench.cli import main

    root = make_folder(CLASSES)
    words = ["dfbench", "data", "prepare", f"folder:{root}", "--image-size", "16"]
    words += ["--processes", "1", "--cache", str(root.parent / "all")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    text = capsys.readouterr().out
    assert text == "folder:animals: 12 photos and 12 sketches of 2 classes are ready at 16 px\n"
    monkeypatch.setattr(sys, "argv", [*words, "--format", "json"])
    with pytest.raises(SystemExit):
        main()
    content = json.loads(capsys.readouterr().out)
    request = DatasetRequest(
        cache=root.parent / "all" / "images", argument=str(root), image_size=16
    )
    assert content["fingerprint"] == open_folder(request).fingerprint
    assert content["images"] == {"photo": 12, "sketch": 12}
