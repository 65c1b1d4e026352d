from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dfbench.files import DiskFull, atomic_path, write_json


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
    assert list(tmp_path.iterdir()) == []


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


def test_other_errors_of_the_disk_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        _break_off(tmp_path / "file.txt", PermissionError(errno.EACCES, "no"))


def test_json_is_sorted_readable_and_never_nan(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    write_json(target, {"b": 1, "a": "é"})
    assert target.read_text(encoding="utf-8") == '{\n "a": "é",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(target, {"a": float("nan")})
    assert "é" in target.read_text(encoding="utf-8")
