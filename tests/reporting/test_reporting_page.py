"""`dfbench compare --write` and `dfbench table --page`: the page from committed files alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf

from dfbench.budget import Budget
from dfbench.reporting.comparisons import intervals
from dfbench.reporting.comparisons.file import FILE


@pytest.fixture
def written(shelf: Shelf) -> Shelf:
    """A few rows with their comparisons."""
    shelf.add_seeds("classifier-posterior", 0.4)
    shelf.add_seeds("alternative-data", 0.1, posterior=0.2)
    shelf.add_seeds("crossx", 0.3, posterior=0.35)
    assert shelf.call("compare", "--write").status == 0
    return shelf


def _stored(shelf: Shelf) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((shelf.results / FILE).read_text(encoding="utf-8"))
    return content


def _page(shelf: Shelf) -> tuple[str, str]:
    """The page, and what was said while it was made."""
    page = shelf.place / "page.md"
    finished = shelf.call("table", "--page", str(page))
    assert finished.status == 0, finished.err
    return page.read_text(encoding="utf-8"), finished.err


def test_stored_comparisons_say_what_they_compare_and_how(written: Shelf) -> None:
    known = {record.eval_id for record in written.records}
    comparisons = _stored(written)["comparisons"]
    assert comparisons
    for one in comparisons:
        assert one["seeds"] == [0, 1, 2]
        assert one["metric"] == "map@all"
        assert one["definition"] == {"formula": "formula of map@all", "version": 1}
        assert (one["resamples"], one["generator_seed"]) == (300, 0)
        assert all(known.issuperset(side["eval_ids"]) for side in one["sides"])


def test_page_needs_no_run_folder(written: Shelf) -> None:
    before, _ = _page(written)
    shutil.rmtree(written.runs)
    after, said = _page(written)
    assert after == before
    assert "no interval yet" not in after
    assert "left out" not in said
    assert "better" in after


def test_page_is_made_without_torch_or_numpy(written: Shelf, shell: dict[str, str]) -> None:
    page = written.place / "page.md"
    arguments = ["table", "--page", str(page), "--results", str(written.results)]
    verb = "from dfbench.cli import main; main()"
    command = [sys.executable, "-X", "importtime", "-c", verb, *arguments]
    ended = subprocess.run(command, env=shell, capture_output=True, text=True)
    assert page.is_file(), ended.stderr[-1000:]
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "dfbench.reporting.tables.page" in imported
    assert not imported & {"torch", "numpy", "scipy"}


def test_page_begins_with_what_people_wrote(written: Shelf) -> None:
    (written.results / "preamble.md").write_text("# Ours\n\nA sentence.\n", encoding="utf-8")
    page, _ = _page(written)
    assert page.index("# Ours") < page.index("A sentence.") < page.index("## sketchy, closed")
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


def test_page_without_comparisons_says_how_to_make_them(shelf: Shelf) -> None:
    shelf.add_seeds("classifier-posterior", 0.4)
    shelf.add_seeds("crossx", 0.3)
    page, said = _page(shelf)
    assert "-.100 (no interval yet)" in page
    assert "dfbench compare --write" in said


def test_comparisons_of_records_that_are_gone_are_dropped_and_said(written: Shelf) -> None:
    for file in written.results.glob("*/alternative-data-*.json"):
        file.unlink()
    _, said = _page(written)
    assert "left out: difference of crossx, alternative-data on sketchy" in said
    assert "its records are not in this folder" in said
    finished = written.call("compare", "--write")
    assert "dropped: difference of crossx, alternative-data" in finished.err
    labels = {side["label"] for one in _stored(written)["comparisons"] for side in one["sides"]}
    assert labels == {"crossx", "classifier-posterior"}


def test_comparisons_that_contradict_their_records_are_dropped(written: Shelf) -> None:
    content = _stored(written)
    content["comparisons"][0]["value"] += 0.01
    (written.results / FILE).write_text(json.dumps(content), encoding="utf-8")
    page, said = _page(written)
    assert said.count("it disagrees with its records") == 1
    assert page.count("(no interval yet)") == 1


def test_a_further_seed_makes_a_comparison_stale(written: Shelf) -> None:
    written.add("crossx", 0.3, posterior=0.35, seed=3)
    written.add("classifier-posterior", 0.4, seed=3)
    _, said = _page(written)
    assert "no question compares these methods and seeds any more" in said


def test_what_holds_is_not_made_again(written: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    written.add_seeds("crossx[bn]", 0.35, posterior=0.4)
    made = []
    real = intervals.compare

    def counted(wanted: Any, *rest: Any) -> Any:
        made.append({side.line.label for side in wanted.sides})
        return real(wanted, *rest)

    monkeypatch.setattr(intervals, "compare", counted)
    before = _stored(written)["comparisons"]
    written.call("compare", "--write")
    after = _stored(written)["comparisons"]
    assert made
    assert all("crossx[bn]" in labels for labels in made)
    assert [one for one in after if one in before] == before


def test_what_holds_is_kept_when_its_runs_are_gone(written: Shelf) -> None:
    before = (written.results / FILE).read_bytes()
    shutil.rmtree(written.runs)
    assert written.call("compare", "--write", "--resamples", "400").status == 0
    assert (written.results / FILE).read_bytes() == before


def test_two_makings_write_the_same_file(written: Shelf) -> None:
    before = (written.results / FILE).read_bytes()
    (written.results / FILE).unlink()
    written.call("compare", "--write")
    assert (written.results / FILE).read_bytes() == before


@pytest.mark.parametrize("content", ["{", '{"schema_version": 2, "comparisons": []}', "[]"])
def test_a_broken_file_is_named_with_the_remedy(written: Shelf, content: str) -> None:
    file: Path = written.results / FILE
    file.write_text(content, encoding="utf-8")
    line = written.call("table", "--page", str(written.place / "page.md")).refused()
    assert str(file) in line
    assert "dfbench compare --write" in line


def test_page_and_comparisons_are_of_all_records(written: Shelf) -> None:
    page = str(written.place / "page.md")
    assert "all records" in written.call("table", "--page", page, "--dataset", "sketchy").refused()
    filtered = written.call("compare", "--write", "--dataset", "sketchy")
    assert "no methods and no filters" in filtered.refused()


def test_a_row_under_another_budget_is_shown_and_asked_nothing(shelf: Shelf) -> None:
    shelf.add("crossx", 0.3)
    shelf.add("classifier-only", 0.1)
    shelf.add("crossx", 0.2, budget=Budget(steps=7))
    assert shelf.call("compare", "--write").status == 0
    page, _ = _page(shelf)
    assert "| Crossx (budget.steps=7)" in page
    assert "outperform each published baseline?\n" in page
    assert "? (budget.steps=7)" not in page


def test_page_begins_with_the_larger_images(shelf: Shelf) -> None:
    for dataset, size in (("a-small", 32), ("b-large", 224), ("c-middle", 64), ("d-large", 224)):
        shelf.add("crossx", 0.3, dataset=dataset, image_size=size, fingerprint=dataset)
    page, _ = _page(shelf)
    titles = [line.split(",")[0] for line in page.splitlines() if line.startswith("## ")]
    *tables, _ = titles
    assert tables == ["## b-large", "## d-large", "## c-middle", "## a-small"]
