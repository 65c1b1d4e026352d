"""Kinds of tables: rows by datasets, with and without data, ablations; and tables as HTML."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from shelf import Shelf
from synthetic import synthetic_record

from dfbench.budget import Budget
from dfbench.reporting.tables.across_datasets import across_datasets
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.markup import html, latex
from dfbench.reporting.tables.printing import markdown

HOSTILE = "<script>alert(1)</script> & \"b\" 'c'"


@pytest.fixture
def ablated(shelf: Shelf) -> Shelf:
    """A method with a variant and a reference with data, three seeds each, on two datasets."""
    for dataset in ("sketchy", "mine"):
        shelf.add_seeds("crossx", 0.2, posterior=0.3, dataset=dataset)
        shelf.add_seeds("crossx[no-alignment]", 0.1, posterior=0.1, dataset=dataset)
        needs = ("training data",)
        shelf.add_seeds("crossx-data", 0.25, posterior=0.3, needs=needs, dataset=dataset)
    return shelf


def test_rows_by_datasets_have_the_metrics_of_each_and_a_dash_where_they_were_not_run() -> None:
    table = across_datasets(
        [
            synthetic_record("crossx", dataset="a", value=0.6, posterior=0.7, seed=0),
            synthetic_record("crossx", dataset="a", value=0.62, posterior=0.7, seed=1),
            synthetic_record("crossx", dataset="b", value=0.4),
            synthetic_record("meta-data", dataset="b", value=0.9),
        ]
    )[0]
    assert table.spans == (("", 1), ("a", 3), ("b", 3), ("", 1))
    assert table.header == ("method", *("mAP@all", "Prec@200", "posterior") * 2, "seeds")
    assert table.rows == (
        ("Crossx", ".610 ± .014", ".610 ± .014", ".700 ± .000", ".400", ".400", "-", "1 to 2"),
        ("Meta-Data", "-", "-", "-", ".900", ".900", "-", "1"),
    )
    assert table.content["rows"][0]["datasets"]["a"]["metrics"]["map@all"] == [0.6, 0.62]


def test_rows_of_other_budgets_and_of_other_images_of_a_name_stand_apart() -> None:
    short = Budget(steps=7)
    table = across_datasets(
        [
            synthetic_record("crossx", dataset="a"),
            synthetic_record("crossx", dataset="a", budget=short),
            synthetic_record("crossx", dataset="a", fingerprint="f2"),
        ]
    )[0]
    assert [title for title, _ in table.spans] == ["", "a", "a (2)", ""]
    assert len(table.rows) == 2
    assert any("budget.steps=7" in row[0] for row in table.rows)


def test_papers_stand_beneath_the_datasets_they_printed_and_scenarios_apart() -> None:
    closed, overlap = across_datasets(
        [
            synthetic_record("crossx", dataset="sketchy"),
            synthetic_record("crossx", dataset="mine"),
            synthetic_record("crossx", dataset="sketchy", scenario="overlap=0.5"),
        ]
    )
    printed = {row[0]: row for row in closed.rows[1:]}
    assert printed["crossx"] == ("crossx", "-", "-", "-", ".827", ".831", "-", "-")
    assert closed.sections[-1] == ("as published", len(printed))
    assert len(overlap.rows) == 1


def test_ablation_shows_scores_and_stored_intervals(ablated: Shelf) -> None:
    before = ablated.call("table", "ablation", "--format", "json").json
    (ours,) = [t for t in before if "sketchy" in t["question"]]
    assert "verdict" not in ours["rows"][1]["difference"]
    ablated.call("compare", "--write")
    after = ablated.call("table", "ablation", "--dataset", "sketchy", "--format", "json").json
    (table,) = after
    subject, variant = table["rows"]
    assert subject["method"] == "Crossx"
    assert subject["difference"] == ""
    assert variant["method"] == "Crossx [no-alignment]"
    assert variant["difference"]["value"] == pytest.approx(-0.1)
    assert variant["difference"]["verdict"] == "worse"
    assert variant["difference of posterior"]["value"] == pytest.approx(-0.2)


def test_data_table_holds_the_row_with_real_images_against_that_without(ablated: Shelf) -> None:
    tables = ablated.call("table", "data", "--format", "json").json
    assert len(tables) == 2
    features = tables[0]["rows"][0]
    assert (features["with data"], features["without data"]) == ("Crossx-Data", "Crossx")
    assert features["difference"]["value"] == pytest.approx(0.05)


def test_kinds_without_records_and_formats_they_lack_are_refused(shelf: Shelf) -> None:
    shelf.add("crossx", 0.1)
    assert "benchmarks/ablations.toml" in shelf.call("table", "ablation").refused()
    assert "benchmarks/references.toml" in shelf.call("table", "data").refused()
    line = shelf.call("table", "ablation", "--metric", "acc@1").refused()
    assert "dfbench compare A B --metric" in line
    assert "--format json" in shelf.call("table", "datasets", "--format", "csv").refused()
    assert "leave out kinds" in shelf.call("table", "overlap", "--page", "x.md").refused()


def test_suite_leaves_the_records_of_its_runs(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add("crossx", 0.1, dataset="shapes")
    suite = tmp_path / "mine.toml"
    suite.write_text('methods = ["classifier-only"]\ndatasets = ["shapes"]\nseeds = [0]\n')
    line = shelf.call("table", "--suite", str(suite)).refused()
    assert "none of the 1 records" in line
    assert f"dfbench suite run {suite}" in line


class _Outline(HTMLParser):
    """The elements of a page; fails on an end without a beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  # HTMLParser's
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_a_whole_page_that_shows_hostile_titles_as_they_are() -> None:
    layout = Layout(
        title=HOSTILE,
        header=("method", HOSTILE),
        rows=((HOSTILE, HOSTILE), ("b", "1")),
        notes=(HOSTILE,),
        content={},
        sections=((HOSTILE, 1), ("two", 1)),
        ranks={(0, 1): "best", (1, 1): "second"},
        spans=((HOSTILE, 2),),
    )
    page = html([layout])
    outline = _Outline()
    outline.feed(page)
    assert outline.open == []
    assert "script" not in outline.seen
    assert outline.seen.count("tbody") == 2
    assert "<u>1</u>" in page


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_headings_over_columns_compile(tmp_path: Path) -> None:
    layouts = across_datasets([synthetic_record(value=0.5), synthetic_record(dataset="a_b")])
    document = (r"\documentclass{article}\usepackage{booktabs}\begin{document}", latex(layouts))
    text = "\n".join((*document, r"\end{document}"))
    assert r"\cmidrule(lr){2-4}\cmidrule(lr){5-7}" in text
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_faces_without_headings_over_columns_name_both_in_the_header() -> None:
    layout = across_datasets([synthetic_record(dataset="a")])[0]
    assert "a mAP@all" in markdown(layout)
