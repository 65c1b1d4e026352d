"""Files whole or absent, and what an error of the disk says to a user."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dfbench.system import file_errors
from dfbench.system.file_errors import DiskFull, FileFault, file_fault, told_faults
from dfbench.system.files import atomic_path, check_writable, entries, write_json

CODES = {
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EROFS: "read-only file system",
    errno.ENOTDIR: "a file, not a folder",
    errno.ENAMETOOLONG: "name too long",
    errno.ELOOP: "loop of symbolic links",
    errno.EIO: "input/output error",
    errno.ESTALE: "stale handle",
    errno.EFBIG: "file too large",
    errno.EMFILE: "too many open files",
    errno.ENOLCK: "no file locks",
    errno.EOPNOTSUPP: "no file locks",
}


def test_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def _break_off(target: Path, fault: Exception) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise fault


def test_error_while_writing_keeps_the_file_before_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError):
        _break_off(target, ZeroDivisionError())
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_or_quota_is_one_line_that_names_file_folder_and_remedy(
    code: int, tmp_path: Path
) -> None:
    target = tmp_path / "file.txt"
    with pytest.raises(DiskFull) as fault:
        _break_off(target, OSError(code, "no room"))
    text = str(fault.value)
    assert "\n" not in text
    assert "file.txt" in text
    assert str(tmp_path) in text
    assert "repeat the same command" in text
    assert ("quota exceeded" in text) is (code == errno.EDQUOT)
    assert list(tmp_path.iterdir()) == []


def test_disk_with_room_but_without_inodes_is_told_from_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = list(os.statvfs(tmp_path))
    values[5:8] = 100, 0, 0
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    with pytest.raises(DiskFull, match=r"no inodes left .*remove some files"):
        _break_off(tmp_path / "file.txt", OSError(errno.ENOSPC, "no room"))


def test_full_disk_while_writing_json_keeps_the_file_before(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    target = tmp_path / "file.json"
    write_json(target, {"a": 1})
    full_disk(100)
    with pytest.raises(DiskFull):
        write_json(target, {"a": "x" * 1000})
    assert json.loads(target.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("code", CODES)
def test_error_of_the_file_system_says_what_is_wrong_and_what_to_do(
    code: int, tmp_path: Path
) -> None:
    target = tmp_path / "file.txt"
    with pytest.raises(FileFault) as fault:
        _break_off(target, OSError(code, os.strerror(code), str(target)))
    line = str(fault.value)
    assert line.startswith(f"cannot write '{target}': ")
    assert CODES[code] in line
    assert line.endswith("then repeat the same command")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", CODES)
def test_error_without_known_place_is_told_at_the_edge_in_the_same_words(code: int) -> None:
    with pytest.raises(FileFault, match=CODES[code]), told_faults():
        raise OSError(code, os.strerror(code), "some/file")


def test_error_about_another_file_is_not_laid_on_the_one_that_is_written(tmp_path: Path) -> None:
    elsewhere = FileNotFoundError(errno.ENOENT, "no such file", "/elsewhere/source")
    with pytest.raises(FileNotFoundError):
        _break_off(tmp_path / "folder" / "file.txt", elsewhere)


@pytest.mark.parametrize(
    "fault",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        BrokenPipeError(errno.EPIPE, "broken pipe"),
        TimeoutError(errno.ETIMEDOUT, "timed out"),
        OSError("no number"),
        OSError(-2, "name or service not known"),
    ],
)
def test_error_that_is_not_about_files_stays_what_it_is(fault: OSError, tmp_path: Path) -> None:
    assert file_fault(fault) is None
    with pytest.raises(type(fault)):
        _break_off(tmp_path / "file.txt", fault)


def _file_in_the_way(place: Path) -> Path:
    (place / "file").touch()
    return place / "file" / "deep" / "x.md"


def _folder_of_that_name(place: Path) -> Path:
    (place / "x.md").mkdir()
    return place / "x.md"


def _loop(place: Path) -> Path:
    (place / "a").symlink_to(place / "b")
    (place / "b").symlink_to(place / "a")
    return place / "a" / "x.md"


def _dangling(place: Path) -> Path:
    (place / "gone").symlink_to(place / "nowhere")
    return place / "gone" / "x.md"


PLACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "below a file": (_file_in_the_way, "a file, not a folder"),
    "a folder": (_folder_of_that_name, "a folder, not a file"),
    "a loop of links": (_loop, "loop of symbolic links"),
    "a link to nowhere": (_dangling, "no such file or folder"),
    "a name too long": (lambda place: place / ("x" * 300), "name too long"),
    "too long with its ending": (lambda place: place / ("x" * 250), "name too long"),
    "a new folder's name too long": (lambda place: place / ("x" * 300) / "y", "name too long"),
    "a path too long": (lambda place: place.joinpath(*["x" * 200] * 30), "name too long"),
}


@pytest.mark.parametrize("case", PLACES)
def test_place_that_cannot_be_written_is_found_before_and_when_writing(
    case: str, tmp_path: Path
) -> None:
    make, reason = PLACES[case]
    target = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileFault, match=reason):
        check_writable(target)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["x.md", "new/x.md", "new/and/deep/x.md"])
def test_place_that_can_be_written_is_accepted_and_nothing_is_made_there(
    name: str, tmp_path: Path
) -> None:
    check_writable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_there_is_not_touched_by_the_check(tmp_path: Path) -> None:
    target = tmp_path / "x.md"
    target.write_text("kept")
    check_writable(target)
    assert target.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [target]


def test_full_disk_is_found_before(tmp_path: Path, full_disk: Callable[[int], None]) -> None:
    full_disk(10)
    with pytest.raises(DiskFull, match=r"no space left to write x\.md"):
        check_writable(tmp_path / "x.md")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["ro", "size=4k", "nr_inodes=1"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A file system of its own that is read-only, full, or without inodes."""
    place = tmp_path / "mounted"
    place.mkdir()
    mount, umount = (shutil.which(name) or name for name in ("mount", "umount"))
    options = ["-t", "tmpfs", "-o", request.param, "tmpfs", str(place)]
    try:
        subprocess.run([mount, *options], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        pytest.skip(f"nothing can be mounted here: {fault}")
    if request.param == "size=4k":
        (place / "fills").write_bytes(b"0" * 4096)
    yield (
        place,
        {"ro": "read-only", "size=4k": "no space", "nr_inodes=1": "no inodes"}[request.param],
    )
    subprocess.run([umount, str(place)], check=True)


def test_real_file_system_that_takes_no_file_is_found_before(mounted: tuple[Path, str]) -> None:
    place, reason = mounted
    with pytest.raises(FileFault, match=reason):
        check_writable(place / "new" / "x.md")


def test_folder_that_cannot_be_read_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entries(tmp_path / "absent") == []

    def closed(path: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(FileFault, match="permission denied"):
        entries(tmp_path)


def test_every_meaning_names_a_fault_and_a_remedy() -> None:
    for what, remedy in file_errors._MEANINGS.values():
        assert what
        assert remedy


def test_json_is_sorted_readable_and_never_nan(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    write_json(target, {"b": 1, "a": "é"})
    assert target.read_text(encoding="utf-8") == '{\n "a": "é",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(target, {"a": float("nan")})
    assert "é" in target.read_text(encoding="utf-8")
