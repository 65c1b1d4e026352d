"""`dfbench compare A B`: what is compared, with which interval, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from shelf import Shelf

from dfbench.budget import Budget


def test_difference_of_three_paired_seeds_has_interval_and_verdict(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.2)
    shelf.add_seeds("meta-data", 0.1)
    (table,) = shelf.call("compare", "crossx", "meta-data", "--format", "json").json
    (row,) = table["rows"]
    found = row["A - B"]
    assert found["value"] == pytest.approx(0.1)
    assert 0.09 < found["low"] < found["value"] < found["high"] < 0.11
    assert found["verdict"] == "better"
    assert found["seeds"] == [0, 1, 2]
    assert found["resamples"] == 300


@pytest.mark.parametrize(("gain", "verdict"), [(-0.1, "worse"), (0.0, "not distinguishable")])
def test_verdict_follows_the_side_of_the_interval(shelf: Shelf, gain: float, verdict: str) -> None:
    shelf.add_seeds("crossx", gain)
    shelf.add_seeds("meta-data", 0.0)
    out = shelf.call("compare", "crossx", "meta-data").out
    assert verdict in out
    reversed_out = shelf.call("compare", "meta-data", "crossx").out
    assert {"worse": "better"}.get(verdict, verdict) in reversed_out


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_fewer_than_three_seeds_give_an_interval_over_queries_and_no_verdict(
    shelf: Shelf, seeds: tuple[int, ...]
) -> None:
    for seed in seeds:
        shelf.add("crossx", 0.2, seed=seed)
        shelf.add("meta-data", 0.1, seed=seed)
    (table,) = shelf.call("compare", "crossx", "meta-data", "--format", "json").json
    found = table["rows"][0]["A - B"]
    assert found["verdict"] == f"no verdict: {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    assert found["low"] < found["value"] < found["high"]


def test_only_seeds_that_both_rows_have_are_compared(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.2)
    shelf.add("meta-data", 0.1, seed=1)
    (table,) = shelf.call("compare", "crossx", "meta-data", "--format", "json").json
    assert table["rows"][0]["A - B"]["seeds"] == [1]


def test_rows_are_selected_by_the_names_that_tables_print(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.2)
    for label, gain in (("crossx", 0.1), ("mib", 0.3)):
        shelf.add(label, gain, budget=Budget(steps=9))
    names = ("Crossx (budget.steps=9)", "Mib (budget.steps=9)")
    assert all(name in shelf.call("table", "--format", "markdown").out for name in names)
    (table,) = shelf.call("compare", *names, "--format", "json").json
    (row,) = table["rows"]
    assert row["A - B"]["value"] == pytest.approx(-0.2)
    assert row["under"] == "budget.steps=9"


def test_figure_shows_the_condition_of_the_names_it_is_given(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.2)
    for label, gain in (("crossx", 0.1), ("mib", 0.3)):
        shelf.add(label, gain, budget=Budget(steps=9))
    target = str(shelf.place / "bars.svg")
    asked = ("plot", "bars", "-o", target, "--method")
    finished = shelf.call(*asked, "Crossx (budget.steps=9)")
    assert finished.status == 0, finished.err
    assert "shown: budget.steps=9; left out: budget.steps=600" in finished.err
    finished = shelf.call(*asked, "crossx")
    assert "shown: budget.steps=600; left out: budget.steps=9" in finished.err
    assert "unknown method" in shelf.call(*asked, "Crossx (budget.steps=8)").refused()


def test_seeds_with_other_teachers_do_not_pair(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    shelf.add("meta-data", 0.1, teacher="another")
    line = shelf.call("compare", "crossx", "meta-data").refused()
    assert "no seed with the same metric version and teachers" in line


def test_teachers_of_one_recipe_that_were_trained_apart_do_not_pair(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2, seed=0)
    shelf.add("crossx", 0.2, seed=1)
    shelf.add("meta-data", 0.1, seed=0, photo_accuracy=0.89)
    line = shelf.call("compare", "crossx", "meta-data").refused()
    assert "no seed with the same metric version and teachers" in line
    shelf.add("meta-data", 0.1, seed=1)
    (table,) = shelf.call("compare", "crossx", "meta-data", "--format", "json").json
    assert table["rows"][0]["A - B"]["seeds"] == [1]


def test_teachers_of_equal_accuracy_and_other_weights_do_not_pair(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2, weights="w1")
    shelf.add("meta-data", 0.1, weights="w2")
    line = shelf.call("compare", "crossx", "meta-data").refused()
    assert "no seed with the same metric version and teachers" in line


@pytest.mark.parametrize("weights", ["w1", None])
def test_equal_weights_pair_as_do_records_from_before_weights_were_hashed(
    shelf: Shelf, weights: str | None
) -> None:
    shelf.add("crossx", 0.2, weights="w1")
    shelf.add("meta-data", 0.1, weights=weights)
    (table,) = shelf.call("compare", "crossx", "meta-data", "--format", "json").json
    assert table["rows"][0]["A - B"]["seeds"] == [0]


def test_rows_of_other_settings_do_not_pair_and_the_setting_is_named(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.2)
    shelf.add_seeds("meta-data", 0.1, budget=Budget(steps=9))
    line = shelf.call("compare", "crossx", "meta-data").refused()
    assert "budget.steps (600 and 9)" in line


def test_rows_on_other_data_do_not_pair(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    shelf.add("meta-data", 0.1, dataset="shapes")
    line = shelf.call("compare", "crossx", "meta-data").refused()
    assert "crossx is on sketchy, meta-data is on shapes" in line
    shelf.add("mib", 0.1, fingerprint="f2")
    assert "differ in data or scenario" in shelf.call("compare", "crossx", "mib").refused()


def test_each_dataset_and_scenario_is_a_row_of_its_own(shelf: Shelf) -> None:
    for dataset in ("shapes", "sketchy"):
        shelf.add("crossx", 0.2, dataset=dataset)
        shelf.add("mib", 0.1, dataset=dataset)
    shelf.add("crossx", 0.2, scenario="overlap=0.5")
    shelf.add("mib", 0.1, scenario="overlap=0.5")
    (table,) = shelf.call("compare", "crossx", "mib", "--format", "json").json
    places = [(row["dataset"], row["scenario"]) for row in table["rows"]]
    assert places == [("shapes", "closed"), ("sketchy", "closed"), ("sketchy", "overlap=0.5")]
    arguments = ("--dataset", "sketchy", "--scenario", "overlap=0.5", "--format", "json")
    (table,) = shelf.call("compare", "crossx", "mib", *arguments).json
    assert [row["scenario"] for row in table["rows"]] == ["overlap=0.5"]


def test_several_configurations_are_told_apart(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2, config={"rounds": 8})
    shelf.add("crossx", 0.1, config={"rounds": 2})
    shelf.add("mib", 0.1)
    (table,) = shelf.call("compare", "crossx", "mib", "--format", "json").json
    assert [row["under"] for row in table["rows"]] == ["Crossx (rounds=8)", "Crossx (rounds=2)"]


def test_a_row_without_the_reading_takes_part_with_its_headline_and_it_is_said(
    shelf: Shelf,
) -> None:
    shelf.add_seeds("crossx", 0.1, posterior=0.3)
    shelf.add_seeds("classifier-posterior", 0.2)
    arguments = (
        "crossx",
        "classifier-posterior",
        "--representation",
        "posterior",
        "--format",
        "json",
    )
    (table,) = shelf.call("compare", *arguments).json
    assert table["rows"][0]["A - B"]["value"] == pytest.approx(0.1)
    assert table["notes"][:2] == ["A: crossx, posterior", "B: classifier-posterior"]


def test_queries_without_a_photo_are_left_out(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2, skipped=(2, 3))
    shelf.add("mib", 0.1, skipped=(2, 3))
    (table,) = shelf.call("compare", "crossx", "mib", "--format", "json").json
    assert table["rows"][0]["A - B"]["value"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("crosx", "mib"), "unknown method 'crosx'; did you mean 'crossx'?"),
        (("crossx", "crossx"), "both methods are 'crossx'"),
        (("crossx",), "allowed: two, A and B, or none"),
        (("crossx", "mib", "--metric", "map@al"), "did you mean 'map@all'?"),
        (
            ("crossx", "mib", "--representation", "posteriors"),
            "unknown representation 'posteriors'",
        ),
        (("crossx", "mib", "--dataset", "sketch"), "did you mean 'sketchy'?"),
        (("crossx", "mib", "--write"), "allowed: no methods and no filters"),
        (("--metric", "acc@1"), "name A and B"),
    ],
)
def test_wrong_input_is_one_line(shelf: Shelf, arguments: tuple[str, ...], words: str) -> None:
    shelf.add("crossx", 0.2)
    shelf.add("mib", 0.1)
    assert words in shelf.call("compare", *arguments).refused()


def test_missing_run_folder_is_named_with_the_command_that_brings_it_back(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2, budget=Budget(steps=9))
    gone = shelf.add("mib", 0.1, budget=Budget(steps=9))
    (shelf.folder(gone) / "per_query.npz").unlink()
    line = shelf.call("compare", "crossx", "mib").refused()
    assert str(shelf.folder(gone)) in line
    assert (
        "dfbench run --method mib --dataset sketchy --seed 0 --device cpu --precision fp32 "
        "--threads 1 --set budget.steps=9"
    ) in line


def test_values_of_another_run_are_refused(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    other = shelf.add("mib", 0.1)
    file = shelf.folder(other) / "per_query.npz"
    np.savez(file, **{"map@all": np.full(10, 0.9)})
    assert "does not match its record" in shelf.call("compare", "crossx", "mib").refused()
    np.savez(file, **{"prec@200": np.full(10, 0.9)})
    assert "has no values of 'map@all'" in shelf.call("compare", "crossx", "mib").refused()
    file.write_bytes(b"PK\x03\x04 no archive")
    assert "cannot be read" in shelf.call("compare", "crossx", "mib").refused()
