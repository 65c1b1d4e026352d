"""A disk that is really full, and files that were damaged: said, never used, and gone on from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench import Bench

from dfbench.process.supervision import Supervision
from dfbench.records.state import read_state
from dfbench.request import Limits
from dfbench.runs import execute
from dfbench.runs.execute import attempt
from dfbench.runs.ingredients import ensure_networks
from dfbench.system.file_errors import DiskFull

EVERY_STEP = Supervision(Limits(checkpoint_seconds=0))


@dataclass(frozen=True)
class SmallDisk:
    """A disk of its own, as large as a test wants it."""

    path: Path

    def resize(self, kibibytes: int) -> None:
        """Give the disk this room."""
        _mount("remount,", kibibytes, self.path)


def _mount(options: str, kibibytes: int, path: Path) -> None:
    mount = shutil.which("mount") or "mount"
    size = f"{options}size={kibibytes}k"
    subprocess.run(
        [mount, "-t", "tmpfs", "-o", size, "tmpfs", path], check=True, capture_output=True
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "small"
    path.mkdir()
    try:
        _mount("", 1024, path)
    except (OSError, subprocess.CalledProcessError) as fault:
        pytest.skip(f"a small disk cannot be mounted here: {fault}")
    yield SmallDisk(path)
    subprocess.run([shutil.which("umount") or "umount", path], check=True)


FULL = {
    "checkpoint": ("runs", 350, "train.a.checkpoint"),
    "cache": ("cache", 150, ""),
    "record": ("results", 4, ".json"),
}


@pytest.mark.parametrize("what", FULL)
def test_full_disk_is_the_reason_of_the_failure_and_with_room_the_same_command_goes_on(
    what: str,
    faulty: Any,
    undisturbed: dict[str, str],
    small_disk: SmallDisk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, room, file = FULL[what]
    faulty.trains()
    faulty = faulty.at(**{place: small_disk.path / "folder"})
    (small_disk.path / "other").write_bytes(b"takes a page")
    # It fills up when all places have been found good.
    monkeypatch.setattr(execute, "check_places", lambda _: small_disk.resize(room))
    ended = attempt(faulty.plan, supervision=EVERY_STEP)
    monkeypatch.undo()
    assert ended.run is None
    reason = ended.state.reason or ""
    assert "no space left to write" in reason
    assert f"{file} in {small_disk.path}" in reason
    assert read_state(faulty.plan.folder) == ended.state
    assert ended.state.status == "failed"
    assert faulty.results == []
    assert list(small_disk.path.rglob("*.tmp")) == []
    small_disk.resize(64 * 1024)
    ended = attempt(faulty.plan, supervision=EVERY_STEP)
    assert ended.run is not None, ended.state
    assert ended.run.record.digests.model_dump() == undisturbed
    assert ended.run.record.attempts == 2


def test_disk_that_is_full_before_the_run_refuses_it_before_anything_is_fitted(
    faulty: Any, small_disk: SmallDisk
) -> None:
    faulty.trains()
    faulty = faulty.at(results=small_disk.path / "folder")
    (small_disk.path / "other").write_bytes(b"takes a page")
    small_disk.resize(4)
    with pytest.raises(DiskFull, match="no space left to write faulty"):
        execute.execute(faulty.plan)
    assert not faulty.plan.folder.exists()
    assert list(small_disk.path.iterdir()) == [small_disk.path / "other"]


DAMAGE = {
    "truncated": lambda content: content[: len(content) * 2 // 3],
    "a flipped bit in its weights": lambda content: content[:-50] + _flipped(content[-50:]),
    "a flipped bit in its header": lambda content: content[:40] + _flipped(content[40:]),
    "empty": lambda _: b"",
}


def _flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_teacher_is_said_trained_again_and_never_used(
    damage: str, quick_bench: Bench, tmp_path: Path
) -> None:
    cache = ("--cache", str(tmp_path / "cache"))
    first = quick_bench.record("classifier-only", *cache)
    identity = first["teachers"]["photo"]["identity"]
    file = tmp_path / "cache" / "teachers" / f"{identity}.safetensors"
    content = file.read_bytes()
    file.write_bytes(DAMAGE[damage](content))
    finished = quick_bench.run("classifier-only", "--force", "--format", "json", *cache)
    assert finished.status == 0
    assert f"{file} is damaged and not used: training it again" in finished.err
    assert finished.json["digests"] == first["digests"]
    assert file.stat().st_size == len(content)


def test_teacher_of_another_identity_under_its_name_is_not_used(
    quick_bench: Bench, tmp_path: Path
) -> None:
    cache = ("--cache", str(tmp_path / "cache"))
    first = quick_bench.record("classifier-only", *cache)
    photo, sketch = (
        tmp_path / "cache" / "teachers" / f"{first['teachers'][m]['identity']}.safetensors"
        for m in ("photo", "sketch")
    )
    shutil.copy(sketch, photo)
    again = quick_bench.run("classifier-only", "--force", "--format", "json", *cache)
    assert "is damaged and not used" in again.err
    assert again.json["digests"] == first["digests"]


def test_data_that_changed_after_planning_is_refused_before_anything_is_fitted(
    faulty: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfbench.errors import InvalidInput
    from dfbench.runs import ingredients as teaching

    monkeypatch.setattr(teaching, "call", lambda *_: None)  # it trains, but not for this plan
    with pytest.raises(InvalidInput, match="has changed since the run was planned"):
        ensure_networks(faulty.at(cache=tmp_path / "cache").plan)
