"""`dfbench table`: filters, columns, formats and what it leaves out."""

from __future__ import annotations

import pytest
from shelf import Shelf


@pytest.fixture
def filled(shelf: Shelf) -> Shelf:
    """Two datasets, two scenarios, variants."""
    shelf.add("crossx", 0.2, posterior=0.3)
    shelf.add("crossx[bn]", 0.25)
    shelf.add("mib", 0.1)
    shelf.add("crossx", 0.2, dataset="shapes")
    shelf.add("crossx", 0.2, scenario="overlap=0.5")
    return shelf


def _titles(shelf: Shelf, *arguments: str) -> list[tuple[str, str]]:
    tables = shelf.call("table", "--format", "json", *arguments).json
    return [(table["dataset"], table["scenario"]) for table in tables]


def test_filters_choose_datasets_and_scenarios(filled: Shelf) -> None:
    assert len(_titles(filled)) == 3
    assert _titles(filled, "--dataset", "shapes") == [("shapes", "closed")]
    assert _titles(filled, "--scenario", "overlap=0.5") == [("sketchy", "overlap=0.5")]


def test_a_method_stands_for_its_variants_and_a_label_for_itself(filled: Shelf) -> None:
    def rows(*methods: str) -> list[str]:
        options = [part for method in methods for part in ("--method", method)]
        arguments = ("--dataset", "sketchy", "--scenario", "closed", "--format", "json")
        (table,) = filled.call("table", *options, *arguments).json
        return sorted(row["method"] for row in table["rows"])

    assert rows("crossx") == ["crossx", "crossx[bn]"]
    assert rows("crossx[bn]", "mib") == ["crossx[bn]", "mib"]


def test_metrics_are_columns_and_the_first_orders_the_rows(filled: Shelf) -> None:
    arguments = ("--metric", "acc@1", "--dataset", "shapes", "--format", "markdown")
    out = filled.call("table", *arguments).out
    header = out.splitlines()[2]
    assert "Acc@1" in header
    assert "mAP@all" not in header
    assert "- posterior: Acc@1 with the encoders' posteriors" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "shape"), "unknown dataset 'shape'; did you mean 'shapes'?"),
        (("--scenario", "close"), "unknown scenario 'close'; did you mean 'closed'?"),
        (("--method", "crosx"), "unknown method 'crosx'; did you mean 'crossx'?"),
        (("--metric", "acc@2"), "unknown metric 'acc@2'; did you mean 'acc@1'?"),
    ],
)
def test_wrong_names_are_told_with_what_is_meant(
    filled: Shelf, arguments: tuple[str, ...], words: str
) -> None:
    assert words in filled.call("table", *arguments).refused()


def test_no_records_say_how_to_make_one(shelf: Shelf) -> None:
    assert "dfbench run --method" in shelf.call("table").refused()
    assert "dfbench run --method" in shelf.call("compare").refused()


def test_foreign_files_are_said_on_stderr_and_the_rest_is_shown(filled: Shelf) -> None:
    (filled.results / "shapes" / "mine-s0-abc.json").write_text("{}", encoding="utf-8")
    finished = filled.call("table", "--format", "csv")
    assert finished.status == 0
    assert "mine-s0-abc.json" in finished.err
    assert finished.out.startswith("dataset,scenario,section,method")
    assert "mine-s0-abc.json" not in finished.out


def test_latex_is_printed_without_wrapping(filled: Shelf) -> None:
    out = filled.call("table", "--format", "latex").out
    assert out.count(r"\begin{table}") == out.count(r"\end{table}") == 3
    assert all(line.startswith((r"\caption{", "%")) or len(line) < 200 for line in out.splitlines())
