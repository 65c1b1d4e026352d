"""`dfbench data fetch cifar-quickdraw`, then verify and run, from a server of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench
from publisher import COUNT, Publisher, little_files, little_source
from test_cli_data_root import without_choice

NAME = "cifar-quickdraw"
SOURCE = "dfbench.datasets.cifar_quickdraw.source.published"
OPENING = "dfbench.datasets.cifar_quickdraw.dataset.published"


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("DFBENCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "none")
    little = Publisher(little_files())
    with little.running():
        source = little_source(little)
        for name in (SOURCE, OPENING):
            monkeypatch.setattr(name, lambda: source)
        yield little


@pytest.fixture
def place(tmp_path: Path) -> tuple[str, ...]:
    return ("--cache", str(tmp_path / "cache"))


def test_fetch_then_verify_then_run(
    quick_bench: Bench, publisher: Publisher, pictures: Path, tmp_path: Path
) -> None:
    place = ("--data-root", str(tmp_path / "data"))
    ended = quick_bench.call("data", "fetch", NAME, *place)
    assert ended.status == 0, ended.err
    assert f"fetched into '{tmp_path}/data/{NAME}': CIFAR-10, drawings of 'airplane'" in ended.err
    assert "all files are already in" in quick_bench.call("data", "fetch", NAME, *place).err
    asked = len(publisher.requests)
    found = quick_bench.call("data", "verify", NAME, *place, "--format", "json")
    assert found.status == 0
    assert found.json["classes"]["ship"] == {"photo": 12, "sketch": COUNT}
    assert found.json["problems"] == []
    (ceiling,) = found.json["prec@200_ceilings"]
    assert (ceiling["queries"], ceiling["gallery"]) == (54, 18)
    prepared = quick_bench.call("data", "prepare", NAME, *place, "--format", "json").json
    assert prepared["images"] == {"photo": 9 * 12 - 1, "sketch": 9 * COUNT}
    record = quick_bench.call(
        *without_choice(quick_bench.arguments("classifier-only")),
        *("--dataset", NAME, *place, "--classes", "cat,ship,truck"),
        *("--alternative", f"folder:{pictures}", "--format", "json"),
    ).json
    assert record["data"]["name"] == NAME
    assert record["data"]["classes"] == ["cat", "ship", "truck"]
    assert "CC BY 4.0" in record["data"]["notes"][0]
    assert len(publisher.requests) == asked


def test_run_without_the_files_downloads_nothing_and_says_what_does(
    quick_bench: Bench, publisher: Publisher, tmp_path: Path
) -> None:
    ended = quick_bench.call(
        *without_choice(quick_bench.arguments("classifier-only")),
        *("--dataset", NAME, "--cache", str(tmp_path / "other")),
    )
    assert (
        "dataset 'cifar-quickdraw' is not available: CIFAR-10, drawings of 'airpl"
        in ended.refused()
    )
    assert publisher.requests == []
    (command,) = [line for line in ended.err.splitlines() if "dfbench data fetch" in line]
    words = command.split("dfbench ")[1].split()
    assert quick_bench.call(*words).status == 0
    assert quick_bench.call("data", "verify", *words[2:]).status == 0


def test_missing_and_damaged_files_are_told_by_verify(
    bench: Bench, publisher: Publisher, place: tuple[str, ...], tmp_path: Path
) -> None:
    absent = bench.call("data", "verify", NAME, *place)
    assert absent.status == 1
    assert "10 files are missing or damaged: dfbench data fetch cifar-quickdraw" in absent.out
    bench.call("data", "fetch", NAME, *place)
    home = tmp_path / "cache" / "images" / NAME
    (home / "cat.npy").write_bytes(publisher.files["/numpy_bitmap/dog.npy"])
    (home / "cifar-10-python.tar.gz").write_bytes(b"")
    found = bench.call("data", "verify", NAME, *place, "--format", "json")
    assert found.status == 1
    texts = [problem["text"] for problem in found.json["problems"]]
    assert "published: " in texts[0]
    assert "drawings of 'cat'" in texts[1]
    assert "its checksum differs from that of the download" in texts[1]
    assert found.json["classes"]["cat"] == {"photo": 0, "sketch": 0}


def test_drawings_put_there_by_hand_cannot_be_compared_and_that_is_said(
    bench: Bench, publisher: Publisher, place: tuple[str, ...], tmp_path: Path
) -> None:
    bench.call("data", "fetch", NAME, *place)
    home = tmp_path / "cache" / "images" / NAME
    (home / "checksums.json").unlink()
    found = bench.call("data", "verify", NAME, *place, "--format", "json")
    assert found.status == 0
    assert {problem["kind"] for problem in found.json["problems"]} == {"no checksum"}
    assert publisher.requests


def test_server_that_fails_is_one_line(
    bench: Bench, publisher: Publisher, place: tuple[str, ...]
) -> None:
    publisher.files.pop("/numpy_bitmap/bird.npy")
    line = bench.call("data", "fetch", NAME, *place).refused()
    assert "/numpy_bitmap/bird.npy responds with 404" in line


def test_what_cannot_be_fetched_or_asked_is_refused(
    bench: Bench, publisher: Publisher, place: tuple[str, ...]
) -> None:
    assert "allowed: cifar-quickdraw" in bench.call("data", "fetch", "sketchy").refused()
    assert (
        "--decode does not apply to"
        in bench.call("data", "verify", NAME, *place, "--decode").refused()
    )
    assert "'deer'" in bench.call("data", "verify", NAME, *place, "--classes", "deer").refused()
    assert publisher.requests == []
