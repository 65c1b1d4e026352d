"""`dfbench doctor` tells what there is, and never fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import dfbench
from dfbench.cli.doctor import doctor


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options with folders of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache" / "teachers").mkdir(parents=True)
    (tmp_path / "cache" / "teachers" / "one.safetensors").write_bytes(b"x" * 1500)
    return ["--cache", str(tmp_path / "cache")]


def told(*arguments: str) -> dict[str, Any]:
    finished = CliRunner().invoke(doctor, [*arguments, "--format", "json"])
    assert finished.exit_code == 0, (finished.output, finished.exception)
    content: dict[str, Any] = json.loads(finished.stdout)
    return content


def test_working_installation_has_versions_places_and_plugins(places: list[str]) -> None:
    content = told(*places)
    assert content["versions"]["dfbench"] == dfbench.__version__
    assert {"python", "torch"} <= content["versions"].keys()
    assert {"processor", "cores", "gpus"} <= content["machine"].keys()
    by_name = {place["name"]: place for place in content["places"]}
    assert by_name["cache/teachers"]["use"]["size"] == 1500
    assert by_name["cache"]["use"]["files"] == 1
    assert by_name["results"]["note"] == "0 records"
    assert {p["name"]: p["state"] for p in content["plugins"]}["baselines"] == "works"
    assert content["datasets"]["shapes"] == "drawn on demand"
    assert content["problems"] == []


def test_found_and_missing_datasets_are_told_apart(places: list[str], tmp_path: Path) -> None:
    for folder in ("photo", "sketch"):
        for name in ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person"):
            (tmp_path / "PACS" / folder / name).mkdir(parents=True)
    content = told(*places, "--data-root", str(tmp_path))
    assert content["datasets"]["pacs"].startswith(("photo (", "sketch ("))
    assert content["datasets"]["tuberlin"] == f"not found in {tmp_path}"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("a broken plugin", ["--plugin", "broken.py"], "plugin 'broken' does not work: .*zero"),
        ("no plugin file", ["--plugin", "absent.py"], "absent"),
        ("no plugins folder", ["--plugins-dir", "absent"], "plugins folder .* does not exist"),
        ("no data root", ["--data-root", "absent"], "dataset pacs: "),
        ("an unwritable folder", ["--results", "broken.py/results"], "broken.py"),
    ],
)
def test_what_does_not_work_is_a_problem_and_no_failure(
    places: list[str], name: str, arguments: list[str], words: str
) -> None:
    del name
    Path("broken.py").write_text("1 / 0\n", encoding="utf-8")
    problems = "\n".join(told(*places, *arguments)["problems"])
    assert re.search(words, problems), problems


def test_record_that_cannot_be_read_is_a_problem(places: list[str], tmp_path: Path) -> None:
    (tmp_path / "results" / "shapes").mkdir(parents=True)
    (tmp_path / "results" / "shapes" / "mib-seed0-abcdefabcdef.json").write_text("{")
    (problem,) = told(*places)["problems"]
    assert problem.startswith("results: not a record")


def test_broken_torch_is_a_problem(places: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise OSError("libcudart.so: cannot open shared object file")

    monkeypatch.setattr("torch.cuda.device_count", broken)
    content = told(*places)
    assert "torch: OSError: libcudart.so: cannot open shared object file" in content["problems"]


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_report_for_readers_has_every_part(places: list[str], style: str) -> None:
    finished = CliRunner().invoke(doctor, [*places, "--format", style])
    assert finished.exit_code == 0
    for part in ("versions", "machine", "places", "datasets", "plugins", "problems", "none found"):
        assert part in finished.output
