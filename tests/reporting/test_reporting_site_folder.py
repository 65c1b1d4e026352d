"""The folder of a report, wrong input, and what the command costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from shelf import Shelf
from site_shelf import furnish, pages

IMPORTS = """
import sys
from dfbench.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(sorted({"torch", "torchvision", "matplotlib"} & set(sys.modules)), file=sys.stderr)
"""


def _arguments(shelf: Shelf, target: Path) -> tuple[str, ...]:
    return ("report", "-o", str(target), "--runs", str(shelf.runs))


def test_another_report_replaces_the_pages_that_are_gone(shelf: Shelf) -> None:
    target = shelf.place / "report"
    for label in ("crossx", "mib"):
        furnish(shelf, shelf.add(label, 0.2))
    assert shelf.call(*_arguments(shelf, target)).status == 0
    before = set(pages(target))
    for record in shelf.results.rglob("mib*.json"):
        record.unlink()
    assert shelf.call(*_arguments(shelf, target)).status == 0
    gone = before - set(pages(target))
    assert [page.startswith("runs/mib") for page in gone] == [True]


def test_a_folder_with_other_files_is_left_alone(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    target = shelf.place / "thesis"
    target.mkdir()
    (target / "index.html").write_text("mine", encoding="utf-8")
    refused = shelf.call(*_arguments(shelf, target)).refused()
    assert "contains files that are not of a report" in refused
    assert [file.name for file in target.iterdir()] == ["index.html"]
    assert (target / "index.html").read_text(encoding="utf-8") == "mine"


def test_a_forged_list_of_files_removes_nothing_outside(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    target = shelf.place / "report"
    assert shelf.call(*_arguments(shelf, target)).status == 0
    precious = shelf.place / "precious.txt"
    precious.touch()
    manifest = target / "report.json"
    content = json.loads(manifest.read_bytes())
    content["files"] += ["../precious.txt", str(precious)]
    manifest.write_text(json.dumps(content), encoding="utf-8")
    assert shelf.call(*_arguments(shelf, target)).status == 0
    assert precious.is_file()


def test_without_records_it_says_how_to_make_one(shelf: Shelf) -> None:
    target = shelf.place / "report"
    refused = shelf.call(*_arguments(shelf, target)).refused()
    assert "no records in" in refused
    assert "dfbench run --method" in refused
    assert not target.exists()


def test_records_of_a_newer_schema_are_left_out_and_named(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    newer = shelf.add("mib", 0.1)
    (file,) = shelf.results.rglob("mib*.json")
    content = json.loads(file.read_bytes())
    file.write_text(json.dumps({**content, "schema_version": 99}), encoding="utf-8")
    target = shelf.place / "report"
    finished = shelf.call(*_arguments(shelf, target))
    assert finished.status == 0
    assert "written by a newer dfbench" in finished.err
    assert not list(target.glob(f"runs/*{newer.eval_id[:12]}*"))


@pytest.mark.parametrize("option", ["--dataset", "--scenario"])
def test_filters_choose_what_is_reported(shelf: Shelf, option: str) -> None:
    shelf.add("crossx", 0.2)
    shelf.add("crossx", 0.2, dataset="shapes", scenario="overlap=0.5")
    target = shelf.place / "report"
    wanted = {"--dataset": "shapes", "--scenario": "overlap=0.5"}[option]
    assert shelf.call(*_arguments(shelf, target), option, wanted).status == 0
    assert [page for page in pages(target) if page.startswith("data/")] == [
        "data/shapes-overlap-0.5-f1.html"
    ]
    assert "unknown" in shelf.call(*_arguments(shelf, target), option, "shape").refused()


def test_the_report_needs_no_torch(shelf: Shelf, shell: dict[str, str]) -> None:
    furnish(shelf, shelf.add("crossx", 0.2))
    arguments = (*_arguments(shelf, shelf.place / "report"), "--results", str(shelf.results))
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], env=shell, capture_output=True, text=True
    )
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr
