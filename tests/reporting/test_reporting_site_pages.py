"""The pages of a report: what they show, what they say is missing, and that they stand alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from shelf import Shelf
from site_shelf import furnish, page_of, pages, words
from synthetic import reranked

from dfbench.records.record import OfficialNetwork, Record
from dfbench.records.store import ResultStore

MARKUP = "<script>alert('x')</script>"
EVERY_LINK = re.compile(r"""(?:href|src)="([^"]+)"|url\("([^"]+)"\)""")


@pytest.fixture
def filled(shelf: Shelf) -> Shelf:
    """Three rows, one with all artefacts, one with values of queries, one with neither."""
    furnish(shelf, shelf.add("crossx", 0.2, posterior=0.3))
    shelf.add("mib", 0.1)
    bare = shelf.add("triplet", 0.05)
    for file in shelf.folder(bare).iterdir():
        file.unlink()
    shelf.folder(bare).rmdir()
    return shelf


def _record(shelf: Shelf, label: str) -> Record:
    (found,) = (record for record in shelf.records if record.method.label == label)
    return found


def _report(shelf: Shelf, *arguments: str) -> Path:
    target = shelf.place / "report"
    finished = shelf.call(*("report", "-o", str(target), "--runs", str(shelf.runs), *arguments))
    assert finished.status == 0, finished.err
    return target


def test_every_run_and_table_has_a_page_that_json_lists(filled: Shelf) -> None:
    target = filled.place / "report"
    finished = filled.call(
        *("report", "-o", str(target), "--runs", str(filled.runs), "--format", "json")
    )
    listed = {str(Path(page).relative_to(target)) for page in finished.json["pages"]}
    assert listed == set(pages(target))
    assert {"index.html", "compare.html"} < listed
    assert len([page for page in listed if page.startswith("runs/")]) == 3
    assert len([page for page in listed if page.startswith("data/")]) == 1
    lacking = {lack["record"] for lack in finished.json["missing"]}
    assert lacking == {_record(filled, label).eval_id for label in ("mib", "triplet")}


def test_all_that_pages_refer_to_is_in_the_report(filled: Shelf) -> None:
    report = _report(filled)
    for address, page in pages(report).items():
        for link in (first or second for first, second in EVERY_LINK.findall(page)):
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            assert not parts.scheme, link
            assert not parts.netloc, link
            if parts.path:
                target = (report / address).parent / unquote(parts.path)
                assert target.is_file(), f"{address}: {link}"
            elif parts.fragment:
                assert f'id="{parts.fragment}"' in page


def test_page_of_a_run_shows_what_its_folder_holds(filled: Shelf) -> None:
    page = page_of(_report(filled), _record(filled, "crossx"))
    text = words(page)
    for heading in (
        "Scores",
        "Best by average precision",
        "Median by average precision",
        "Worst by average precision",
        "Confusion between classes",
        "Adversarial pairs",
        "Own drawing",
        "Training curves",
        "Teachers",
        "Cost",
    ):
        assert heading in text
    assert "Not shown" not in text
    assert page.count('"cell hit"') == page.count('"cell miss"') == 9 * 5
    assert "teacher a 80, b 20 student b 70, a 30" in text
    assert "mAP@all formula of map@all" in text
    assert "a 5 .635 .750 b .250" in text


def test_page_of_a_run_without_folder_has_its_record_and_the_command(filled: Shelf) -> None:
    text = words(page_of(_report(filled), _record(filled, "triplet")))
    assert "Not shown" in text
    assert "dfbench run --method triplet --dataset sketchy --seed 0" in text
    assert "--alone --force" in text
    assert "photo teacher .900" in text


def test_what_finished_runs_can_still_make_is_not_made_by_repeating_them(filled: Shelf) -> None:
    record = _record(filled, "mib")
    folder = filled.folder(record)
    for name in ("embeddings.safetensors", "outcome.json"):
        (folder / name).touch()
    text = words(page_of(_report(filled), record))
    assert "best, median and worst queries" in text
    assert "--alone --force" not in text
    (folder / "embeddings.safetensors").unlink()
    assert "--alone --force" in words(page_of(_report(filled), record))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("per_query.npz", "average precision of each query"),
        ("labels.npz", "classes of the queries"),
        ("showcase/queries.json", "best, median and worst queries"),
        ("showcase/queries.jpg", "thumbnails of the queries"),
        ("showcase/confusion.npz", "confusion between classes"),
        ("training/students.curves.json", "training curves"),
        ("pictures/counts.json", "the picture &#39;counts&#39;"),
        ("pictures/own-drawing.png", "the picture &#39;own-drawing&#39;"),
        ("pictures/hardest-pairs.json", "the picture &#39;hardest-pairs&#39;"),
    ],
)
def test_a_broken_file_is_named_and_costs_nothing_else(filled: Shelf, name: str, said: str) -> None:
    record = _record(filled, "crossx")
    (filled.folder(record) / name).write_bytes(b"{broken")
    page = page_of(_report(filled), record)
    hidden = page.split('id="missing"')[1].split("</section>")[0]
    assert said in hidden
    assert hidden.count("<strong>") == 1
    assert "dfbench run --method crossx" in hidden
    assert "Teachers" in page


def test_values_of_another_run_are_not_shown(filled: Shelf) -> None:
    record = _record(filled, "crossx")
    other = filled.folder(_record(filled, "mib")) / "per_query.npz"
    (filled.folder(record) / "per_query.npz").write_bytes(other.read_bytes())
    assert "does not match its record" in words(page_of(_report(filled), record))


def test_markup_in_titles_names_and_notes_is_text(shelf: Shelf) -> None:
    first = shelf.add(f"a{MARKUP}", 0.2, dataset=f"folder:{MARKUP}", needs=(MARKUP,))
    furnish(shelf, first)
    second = shelf.add("b</script><img src=x>", 0.1, dataset=f"folder:{MARKUP}")
    furnish(shelf, second)
    report = _report(shelf)
    for address, page in pages(report).items():
        assert "<script>alert" not in page.lower(), address
        assert "<img src=x" not in page.lower(), address
        assert page.count("<script") == page.count("</script>")
    (groups,) = re.findall(
        r'<script type="application/json" id="runs">(.*?)</script>',
        (report / "compare.html").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert MARKUP in json.loads(groups)[0]["title"]


def test_compare_offers_runs_that_answer_the_same_queries(filled: Shelf) -> None:
    filled.add("crossx", 0.2, seed=1)
    filled.add("crossx", 0.2, dataset="shapes")
    page = (_report(filled) / "compare.html").read_text(encoding="utf-8")
    groups = json.loads(page.split('id="runs">')[1].split("</script>")[0])
    keys = [{run["key"] for run in group["runs"]} for group in groups]
    both = {_record_of(filled, label).eval_id[:12] for label in ("crossx", "mib")}
    assert keys == [both]


def _record_of(shelf: Shelf, label: str) -> Record:
    (found,) = (
        record
        for record in shelf.records
        if (record.method.label, record.data.name, record.seed) == (label, "sketchy", 0)
    )
    return found


def test_page_that_compares_says_what_it_needs(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    assert "There are no two runs to compare" in words(pages(_report(shelf))["compare.html"])


def test_seeds_of_a_row_lead_to_each_other(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.2)
    report = _report(shelf)
    for record in shelf.records:
        others = {one.eval_id[:12] for one in shelf.records} - {record.eval_id[:12]}
        page = page_of(report, record)
        assert all(f"-{key}.html" in page for key in others)
        assert f'aria-current="page">{record.seed}<' in page


def test_reranked_scores_of_a_run_are_marked_on_its_page(shelf: Shelf) -> None:
    record = reranked(shelf.add("crossx", 0.2, posterior=0.3), 0.75)
    ResultStore(shelf.results).write(record)
    text = words(page_of(_report(shelf), record))
    assert "re-ranked by diffusion:k=20 * metric" in text
    assert "posterior representation, re-ranked by diffusion:k=20 * metric" in text
    assert "transductive" in text
    assert "f on a graph; k 20" in text


def test_training_of_official_teachers_is_no_cost_of_a_run(shelf: Shelf) -> None:
    record = shelf.add("crossx", 0.2)
    assert "training of the teachers" in words(page_of(_report(shelf), record))
    official = OfficialNetwork(checksum="c", provenance={})
    teachers = {m: t.model_copy(update={"official": official}) for m, t in record.teachers.items()}
    record = record.model_copy(update={"teachers": teachers})
    ResultStore(shelf.results).write(record)
    text = words(page_of(_report(shelf), record))
    assert "training of the teachers" not in text
    assert "official teacher of the dataset, made by unknown" in text
    assert "together 9" in text
