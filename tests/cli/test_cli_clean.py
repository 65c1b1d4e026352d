"""`dfbench clean` lists by default, and deletes nothing that a record needs unless it is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import CommandLine, Finished
from synthetic import synthetic_record

from dfbench.records.record import Record
from dfbench.records.state import RunLock, RunState, write_state
from dfbench.records.store import ResultStore, run_folder

DAY = 86400
Clean = Callable[..., Finished]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.fixture
def record(bench: CommandLine) -> Record:
    """A recorded run with its folder and teachers, and others that no record needs."""
    record = synthetic_record("crossx")
    ResultStore(bench.results).write(record)
    _file(_folder(bench, record) / "embeddings.safetensors", 3000)
    write_state(_folder(bench, record), RunState(status="done"))
    other = synthetic_record("mib")
    _file(_folder(bench, other) / "embeddings.safetensors", 2000, days=9)
    _file(bench.runs / "notes" / "of-mine" / "text.md", 10)
    for teacher in record.teachers.values():
        _file(bench.place / "cache" / "teachers" / f"{teacher.identity}.safetensors", 700)
    _file(bench.place / "cache" / "teachers" / "abcdef.safetensors", 600, days=2)
    _file(bench.place / "cache" / "images" / "shapes.pack", 500, days=9)
    _file(bench.place / "cache" / "images" / ".shapes.pack.lock", 0)
    _file(bench.place / "cache" / "completion.json", 400)
    return record


def _file(path: Path, size: int, days: float = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    changed = path.stat().st_mtime - days * DAY
    os.utime(path, (changed, changed))


def _folder(bench: CommandLine, record: Record) -> Path:
    return run_folder(bench.runs, record.data.name, record.method.label, record.seed, record.fit_id)


def test_files_of_slurm_jobs_are_listed_and_those_of_ended_jobs_deleted(
    bench: CommandLine, clean: Clean
) -> None:
    jobs = bench.place / "cache" / "slurm"
    _file(jobs / "0a1b2c3d-ended" / "17_0_result.pkl", 300)
    _file(jobs / "0a1b2c3d-ended" / "17_0_log.err", 200)
    _file(jobs / "4e5f6a7b-waiting" / "18_submitted.pkl", 100)
    items = {item["name"]: item for item in clean("--format", "json").json["items"]}
    ended, waiting = items["slurm/0a1b2c3d-ended"], items["slurm/4e5f6a7b-waiting"]
    assert (ended["status"], ended["needed"], ended["bytes"]) == ("job that has ended", False, 500)
    assert (waiting["status"], waiting["needed"]) == ("job that may wait or run", True)
    assert clean("--unused", "--delete").status == 0
    assert [folder.name for folder in jobs.iterdir()] == ["4e5f6a7b-waiting"]
    assert clean("slurm/4e5f", "--delete").status == 0
    assert list(jobs.iterdir()) == []


@pytest.fixture
def clean(bench: CommandLine, record: Record) -> Clean:
    del record
    return lambda *more: bench.call("clean", *_places(bench), *more)


def _places(bench: CommandLine) -> list[str]:
    cache = str(bench.place / "cache")
    return ["--results", str(bench.results), "--runs", str(bench.runs), "--cache", cache]


def _files(bench: CommandLine) -> set[str]:
    return {str(f.relative_to(bench.place)) for f in bench.place.rglob("*") if f.is_file()}


def _names(finished: Finished) -> list[str]:
    assert finished.status == 0, finished.err
    return [item["name"].split("-")[0] for item in finished.json["items"]]


UNNEEDED = {"runs/sketchy/mib", "teachers/abcdef.safetensors", "images/shapes.pack"}


def test_everything_is_listed_largest_first_and_nothing_deleted(
    bench: CommandLine, clean: Clean
) -> None:
    before = _files(bench)
    finished = clean("--format", "json")
    sizes = [item["bytes"] for item in finished.json["items"]]
    assert sizes == sorted(sizes, reverse=True)
    assert _names(finished)[:2] == ["runs/sketchy/crossx", "runs/sketchy/mib"]
    assert {*_names(finished)} > UNNEEDED
    told = {i["name"].split("-")[0]: (i["status"], i["needed"]) for i in finished.json["items"]}
    assert told["runs/sketchy/crossx"] == ("1 record", True)
    assert told["runs/sketchy/mib"] == ("no record", False)
    assert told["images/shapes.pack"] == ("made again when needed", False)
    assert "of which no record needs 3.5 kB" in clean().out
    clean("--unused")
    clean("--older-than", "0")
    clean("runs/sketchy/crossx")
    assert _files(bench) == before


def test_unused_deletes_what_no_record_needs_and_keeps_the_rest(
    bench: CommandLine, clean: Clean, record: Record
) -> None:
    finished = clean("--unused", "--delete", "--format", "json")
    assert {*_names(finished)} == {*UNNEEDED, "completion.json"}
    assert _folder(bench, record).is_dir()
    kept = {f"cache/teachers/{one.identity}.safetensors" for one in record.teachers.values()}
    assert _files(bench) >= kept | {"runs/notes/of-mine/text.md", "cache/images/.shapes.pack.lock"}
    assert not {f for f in _files(bench) if "mib" in f or "abcdef" in f}
    assert finished.err.count("deleted: ") == 4


@pytest.mark.parametrize(
    ("days", "gone"),
    [
        ("5", {"runs/sketchy/mib", "images/shapes.pack"}),
        ("1", UNNEEDED),
        ("100", set()),
    ],
)
def test_age_selects_among_what_no_record_needs(clean: Clean, days: str, gone: set[str]) -> None:
    assert {*_names(clean("--older-than", days, "--delete", "--format", "json"))} == gone


def test_what_a_record_needs_is_deleted_only_by_its_name(
    bench: CommandLine, clean: Clean, record: Record
) -> None:
    finished = clean("runs/sketchy/crossx", "--delete")
    assert finished.status == 0
    assert not _folder(bench, record).exists()
    assert "deleted 1 item, 3." in finished.out
    assert (bench.place / "cache" / "images" / "shapes.pack").exists()


def test_a_run_in_progress_is_not_deleted_even_by_name(
    bench: CommandLine, clean: Clean, record: Record
) -> None:
    with RunLock(_folder(bench, record)):
        assert "is a run in progress" in clean("runs/sketchy/crossx", "--delete").refused()
        assert "may use anything in the cache" in clean("--unused", "--delete").refused()
    assert _folder(bench, record).is_dir()


@pytest.mark.parametrize("broken", ["no records", "an unreadable record"])
def test_nothing_is_unneeded_while_the_needs_of_records_are_unknown(
    bench: CommandLine, clean: Clean, broken: str
) -> None:
    (file,) = bench.results.rglob("*.json")
    if broken == "no records":
        file.unlink()
    else:
        (file.parent / "other-s0-0123456789ab.json").write_text("{}", encoding="utf-8")
    before = _files(bench)
    assert "cannot tell what records need" in clean("--unused", "--delete").refused()
    assert _files(bench) == before
    assert clean("images/shapes", "--delete").status == 0


def test_a_link_is_removed_and_not_what_it_leads_to(bench: CommandLine, clean: Clean) -> None:
    _file(bench.place / "data" / "photo.png", 9)
    (bench.place / "cache" / "images" / "linked").symlink_to(bench.place / "data")
    clean("images/linked", "--delete")
    assert not (bench.place / "cache" / "images" / "linked").exists()
    assert (bench.place / "data" / "photo.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--delete"], "--delete without a selection; allowed: NAME, --unused or --older-than"),
        (["runs", "--unused"], "'runs' with --unused; allowed: either names or --unused"),
        (["runs", "--older-than", "3"], "'runs' with --older-than"),
        (["runs/sketchy"], "'runs/sketchy' is the beginning of 2 names"),
        (["images/shape.pack"], "unknown item 'images/shape.pack'; nearest: images/shapes.pack"),
        (["runs/notes"], "unknown item 'runs/notes'"),
    ],
)
def test_wrong_selections_are_refused_in_one_line(
    clean: Clean, arguments: list[str], words: str
) -> None:
    assert words in clean(*arguments).refused()


@pytest.mark.parametrize(
    "arguments", [["--older-than", "-1"], ["--older-than", "nan"], ["--older-than", "x"]]
)
def test_ages_are_numbers_of_days(bench: CommandLine, clean: Clean, arguments: list[str]) -> None:
    before = _files(bench)
    assert clean(*arguments, "--delete").status == 2
    assert _files(bench) == before
