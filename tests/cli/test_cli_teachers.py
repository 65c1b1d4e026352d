"""`dfbench teachers`: what the cache holds, trained here or brought along."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench


@pytest.fixture
def trained(quick_bench: Bench) -> Bench:
    """A bench whose own cache holds the teachers of the drawn folder."""
    cache = quick_bench.place / "cache"
    pairs = [f"{k}={v}" for k, v in TINY.items() if k.startswith("teachers.")]
    done = quick_bench.call(
        *("teachers", "train", "--dataset", f"folder:{quick_bench.pictures}"),
        *("--classes", ",".join(BENCHMARK), "--alternative-classes", ",".join(ALTERNATIVE)),
        *("--device", "cpu", "--threads", "1", "--cache", str(cache), "--format", "json"),
        *(part for pair in pairs for part in ("--set", pair)),
    )
    assert done.status == 0, done.err
    assert [entry["modality"] for entry in done.json] == ["photo", "sketch"]
    return quick_bench


def _files(bench: Bench) -> dict[str, int]:
    files = (bench.place / "cache" / "teachers").glob("*.safetensors")
    return {file.stem: file.stat().st_mtime_ns for file in files}


def test_runs_take_the_teachers_that_were_trained_before(trained: Bench) -> None:
    before = _files(trained)
    assert len(before) == 3
    record = trained.record("classifier-only", "--cache", str(trained.place / "cache"))
    assert {record["teachers"][m]["identity"] for m in ("photo", "sketch")} < before.keys()
    assert _files(trained) == before


def test_setting_of_a_method_is_refused_where_only_teachers_are_trained(bench: Bench) -> None:
    options = ("--dataset", f"folder:{bench.pictures}", "--set", "rounds=4")
    line = bench.call("teachers", "train", *options).refused()
    assert "'rounds' is a setting of a method; allowed: teachers.KEY=VALUE" in line


def test_list_tells_what_the_cache_holds_and_what_it_cannot_read(trained: Bench) -> None:
    cache = trained.place / "cache"
    (cache / "teachers" / "broken.safetensors").write_bytes(b"nonsense")
    listed = trained.call("teachers", "list", "--cache", str(cache), "--format", "json")
    cached = [entry for entry in listed.json if entry["provider"] is None]
    kinds = sorted(entry["kind"] for entry in cached)
    assert kinds == ["initialisation", "teacher", "teacher"]
    teacher = next(entry for entry in cached if entry["modality"] == "photo")
    assert teacher["classes"] == list(BENCHMARK)
    assert 0 <= teacher["accuracy"] <= 1
    assert "broken.safetensors" in listed.err
    table = trained.call("teachers", "list", "--cache", str(cache)).out
    assert "photo: teacher" in table
    assert teacher["identity"][:12] in table


def test_show_tells_one_network_whole(trained: Bench) -> None:
    cache = str(trained.place / "cache")
    listed = trained.call("teachers", "list", "--cache", cache, "--format", "json").json
    teacher = next(one for one in listed if (one["modality"], one["provider"]) == ("sketch", None))
    by_identity = trained.call(
        *("teachers", "show", teacher["identity"][:8], "--cache", cache, "--format", "json")
    ).json
    by_file = trained.call(
        *("teachers", "show", teacher["file"], "--cache", cache, "--format", "json")
    ).json
    assert by_identity == by_file
    assert by_file["mean"] == pytest.approx([0.85] * 3)
    assert by_file["parameters"] > 1000
    printed = trained.call("teachers", "show", teacher["file"]).out
    assert "resnet-tiny" in printed
    assert re.search(r"changed +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", printed)
    trained.monkeypatch.setenv("COLUMNS", "40")
    assert teacher["file"] in trained.call("teachers", "show", teacher["file"]).out.split()


def test_show_refuses_what_is_no_network_or_damaged(trained: Bench) -> None:
    cache = trained.place / "cache"
    line = trained.call("teachers", "show", "abcdef", "--cache", str(cache)).refused()
    assert "no network 'abcdef'" in line
    file = next((cache / "teachers").glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "is damaged" in trained.call("teachers", "show", str(file)).refused()


def test_empty_cache_lists_official_networks_only(bench: Bench, tmp_path: Path) -> None:
    nothing = ("--cache", str(tmp_path / "nothing"))
    listed = bench.call("teachers", "list", *nothing, "--format", "json").json
    assert {entry["provider"] for entry in listed} == {"shapes"}
    kinds = Counter(entry["modality"] or entry["kind"] for entry in listed)
    assert kinds == dict.fromkeys(("photo", "sketch", "initialisation", "modality classifier"), 3)
    told = bench.call("teachers", "list", *nothing).out
    assert "official, provided by shapes" in told
    photo = next(entry for entry in listed if entry["modality"] == "photo")
    shown = bench.call("teachers", "show", photo["identity"][:8], *nothing, "--format", "json").json
    assert shown["provenance"]["command"].startswith("dfbench teachers train --dataset shapes")


def test_numbers_of_a_normaliser_that_are_none_are_refused(bench: Bench) -> None:
    done = bench.call(
        *("teachers", "import", "x.pth", "--modality", "photo", "--network", "resnet18"),
        *("--classes", "a,b", "--mean", "half", "--std", "0.2", "--input-size", "32"),
    )
    assert done.status == 2
    assert "'half'; allowed: comma-separated numbers" in done.err
