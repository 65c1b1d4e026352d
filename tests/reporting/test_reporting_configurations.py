"""A method under other settings, without a variant's name: named by its title in tables."""

from __future__ import annotations

import pytest
from shelf import Shelf

from dfbench.reporting.lines import lines


@pytest.fixture
def swept(shelf: Shelf) -> Shelf:
    """One method under two settings, a variant of it, and another method."""
    shelf.add("crossx", 0.1, config={"rounds": 4})
    shelf.add("crossx", 0.2, config={"rounds": 9})
    shelf.add("crossx[bn]", 0.3, config={"rounds": 4})
    shelf.add("meta-data", 0.0)
    return shelf


def _names(shelf: Shelf) -> tuple[str, str]:
    """The titles of the two settings in the table of methods."""
    four, nine = sorted(line.name for line in lines(shelf.records) if "rounds=" in line.name)
    assert four.endswith("(rounds=4)")
    assert nine.endswith("(rounds=9)")
    return four, nine


def test_settings_of_one_method_are_compared_by_name(swept: Shelf) -> None:
    four, nine = _names(swept)
    (table,) = swept.call("compare", nine, four, "--format", "json").json
    (row,) = table["rows"]
    assert row["A - B"]["value"] == pytest.approx(0.1)
    (both,) = swept.call("compare", four, "meta-data", "--format", "json").json
    assert len(both["rows"]) == 1
    (against,) = swept.call("compare", "crossx", four, "--format", "json").json
    assert len(against["rows"]) == 1, "a line is not compared with itself"


def test_table_shows_a_line_by_its_name(swept: Shelf) -> None:
    _, nine = _names(swept)
    (table,) = swept.call("table", "--method", nine, "--format", "json").json
    assert len(table["rows"]) == 1


@pytest.mark.parametrize("kind", ["bars", "ablation"])
def test_figure_takes_a_line_by_its_name(kind: str, swept: Shelf) -> None:
    four, _ = _names(swept)
    target = swept.place / "x.png"
    finished = swept.call(
        "plot", kind, "-o", str(target), "--method", four, "--runs", str(swept.runs)
    )
    assert finished.status == 0, finished.err
    assert target.is_file()


def test_figure_of_one_method_says_how_to_choose_a_setting(swept: Shelf) -> None:
    four, nine = _names(swept)
    line = swept.call("plot", "ablation", "-o", "x.png", "--method", "crossx").refused()
    assert four in line
    assert nine in line
    assert f"--method '{nine}'" in line


def test_ablation_has_the_other_settings_next_to_the_variants(swept: Shelf) -> None:
    tables = swept.call("table", "ablation", "--format", "json").json
    assert [len(table["rows"]) for table in tables] == [3, 3]


def test_ablation_figure_finds_the_only_method_with_other_settings(shelf: Shelf) -> None:
    shelf.add("meta-data", 0.1)
    shelf.add("meta-data[top-layer]", 0.2)
    target = shelf.place / "x.png"
    arguments = ("plot", "ablation", "-o", str(target), "--runs", str(shelf.runs))
    assert shelf.call(*arguments).status == 0
    assert target.is_file()


def test_ablation_figure_without_anything_to_compare_says_what_to_run(shelf: Shelf) -> None:
    shelf.add("meta-data", 0.1)
    line = shelf.call("plot", "ablation", "-o", "x.png").refused()
    assert "dfbench describe METHOD" in line
