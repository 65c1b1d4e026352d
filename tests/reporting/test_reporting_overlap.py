"""Rows by class overlap, groups of queries, and what others published for either."""

from __future__ import annotations

import csv
import io

import pytest
from scenario_shelf import add_overlap
from shelf import Shelf
from synthetic import synthetic_record

from dfbench.records.record import Division
from dfbench.reporting.overlap import sweeps
from dfbench.reporting.published import published_overlap, zero_shot
from dfbench.reporting.tables.leaderboard import leaderboards
from dfbench.reporting.tables.overlap import overlap_tables


@pytest.fixture
def swept(shelf: Shelf) -> Shelf:
    for seed in (0, 1):
        for overlap in (0.5, 1.0, 0.1):
            for label, gain in (("crossx", 0.1), ("classifier-posterior", 0.2)):
                add_overlap(shelf, label, overlap, overlap / 2 + gain + seed / 50, seed=seed)
    return shelf


def test_columns_are_overlaps_and_cells_means_over_seeds(swept: Shelf) -> None:
    table = overlap_tables(swept.records)[0]
    assert table.header == ("method", "0.1", "0.5", "1")
    assert table.rows[0] == ("Classifier-Posterior", ".260", ".460", ".710")
    assert table.rows[1] == ("Crossx", ".160", ".360", ".610")
    assert table.rows[2] == ("seeds", "2", "2", "2")
    assert table.rows[3] == ("chance", ".100", ".100", ".100")
    assert table.rows[4][0] == "photo teacher, accuracy"
    assert [row["method"] for row in table.content["rows"]] == ["classifier-posterior", "crossx"]
    assert table.content["rows"][1]["values"]["0.5"] == pytest.approx([0.35, 0.37])


def test_cells_of_fewer_seeds_than_others_have_say_so(swept: Shelf) -> None:
    add_overlap(swept, "crossx", 0.5, 0.39, seed=2)
    table = overlap_tables(swept.records)[0]
    assert table.rows[0] == ("Classifier-Posterior", ".260", ".460 (2)", ".710")
    assert table.rows[1] == ("Crossx", ".160", ".370", ".610")
    assert table.rows[2] == ("seeds", "2", "3", "2")


def test_groups_of_queries_have_tables_and_chance_of_their_own(swept: Shelf) -> None:
    tables = {table.content["queries"]: table for table in overlap_tables(swept.records)}
    assert list(tables) == ["all", "shared", "sketch-only", "photo-only"]
    assert tables["shared"].rows[1] == ("Crossx", ".260", ".460", ".710")
    assert tables["sketch-only"].rows[1] == ("Crossx", "-0.140", ".060", "-")
    assert tables["sketch-only"].rows[-1] == ("chance", ".200", ".200", "-")


def test_closed_records_stand_for_an_overlap_of_one_unless_it_was_measured(shelf: Shelf) -> None:
    add_overlap(shelf, "crossx", 0.5, 0.3)
    add_overlap(shelf, "classifier-posterior", 1.0, 0.8)
    records = [
        *shelf.records,
        synthetic_record("crossx", value=0.6),
        synthetic_record("classifier-posterior", value=0.7),
        synthetic_record("siamese", value=0.5),
    ]
    (sweep,) = sweeps(records)
    found = {
        one.first.method.label: {o: one.values(o, "map@all") for o in one.by_overlap}
        for one in sweep.series
    }
    assert found == {"crossx": {0.5: [0.3], 1.0: [0.6]}, "classifier-posterior": {1.0: [0.8]}}


def test_table_of_an_overlap_shows_groups_beside_the_total(swept: Shelf) -> None:
    layout = leaderboards([r for r in swept.records if r.scenario == "overlap=0.5"])[0]
    cells = dict(zip(layout.header, layout.rows[0], strict=True))
    assert cells["shared"] == ".560 ± .014"
    assert cells["photo-only"] == ".160 ± .014"
    notes = "\n".join(layout.notes)
    assert "the teachers share .500 of the union of their classes" in notes
    assert "sketch-only: mAP@all of 5 queries, chance .200" in notes


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "json", "csv"])
def test_overlap_table_has_every_format(form: str, swept: Shelf) -> None:
    finished = swept.call("table", "overlap", "--format", form)
    assert finished.status == 0, finished.err
    assert "crossx" in finished.out.lower()


def test_csv_has_deviations_and_chance_by_group(swept: Shelf) -> None:
    rows = list(csv.DictReader(io.StringIO(swept.call("table", "overlap", "--format", "csv").out)))
    [row] = [
        r for r in rows if (r["method"], r["queries"], r["overlap"]) == ("crossx", "shared", "0.1")
    ]
    assert float(row["mean"]) == pytest.approx(0.26)
    assert float(row["std"]) == pytest.approx(0.02 / 2**0.5)
    assert (row["seeds"], float(row["chance map@all"])) == ("2", 0.2)
    table = swept.call("table", "--format", "csv", "--scenario", "overlap=0.1").out
    assert "shared map@all" in table.splitlines()[0].split(",")


def test_no_overlap_is_said_with_the_command_that_makes_it(shelf: Shelf) -> None:
    shelf.add("crossx", 0.1)
    line = shelf.call("table", "overlap").refused()
    assert "--scenario overlap=0.5" in line


def test_page_has_the_overlap_tables_instead_of_a_table_for_each(swept: Shelf) -> None:
    page = swept.place / "page.md"
    assert swept.call("table", "--page", str(page)).status == 0
    titles = [line for line in page.read_text().splitlines() if line.startswith("## ")]
    *sweeps, last = titles
    assert len(sweeps) == 4
    assert all("overlap, mAP@all" in title for title in sweeps)
    assert last == "## Machines and teachers"


def test_published_bars_are_those_of_the_figure() -> None:
    bars = published_overlap()
    assert bars.overlaps == tuple(o / 10 for o in range(1, 11))
    assert bars.bars["sketchy"][7] == 0.734
    assert bars.bars["tuberlin"][0] == 0.031
    assert bars.reading_error == 0.004
    assert list(bars.of("tuberlin").bars) == ["tuberlin"]
    assert bars.of("shapes") == bars


def test_printed_zero_shot_rows_stand_beneath_the_split_they_are_of() -> None:
    [layout] = leaderboards(
        [synthetic_record("quadruplet", dataset="sketchy-ext", scenario="unseen=s25-sake")]
    )
    rows = {row[0]: dict(zip(layout.header, row, strict=True)) for row in layout.rows}
    assert rows["ZSE-RN"]["published"] == ".698 mAP@all, .797 Prec@100"
    assert "TVT *" in rows
    assert "SEM-PCYC" not in rows
    assert layout.sections[-1] == ("zero-shot, with data, as published", len(rows) - 1)
    notes = "\n".join(layout.notes)
    assert "ZSE-SBIR project page" in notes
    assert "quadruplet: reconstructed from the abstract of Tursun et al." in notes
    printed = layout.content["rows"][-1]
    assert printed["published"]["map@all"] > 0
    assert printed["seeds"] == []


@pytest.mark.parametrize("initialisation", ["alternative", "imagenet"])
def test_table_of_unseen_classes_says_what_networks_may_know_of_them(initialisation: str) -> None:
    record = synthetic_record(dataset="sketchy-ext", scenario="unseen=s25-sake")
    division = Division(overlap=1, shared=("a",), photo_only=(), sketch_only=(), unseen=("b",))
    recipe = record.recipe.model_copy(update={"initialisation": initialisation})
    [layout] = leaderboards([record.model_copy(update={"division": division, "recipe": recipe})])
    assert ("ImageNet" in "".join(layout.notes)) == (initialisation == "imagenet")


def test_printed_rows_are_shown_in_their_split_alone() -> None:
    methods = {one.method: one for one in zero_shot("sketchy-ext", "s21")}
    assert methods["Sketch_LVM"].values == {"map@200": 0.723, "prec@200": 0.725}
    assert methods["Doodle2Search"].splits == ("S21",)
    assert [one.method for one in zero_shot("sketchy-ext", "s21")].count("SAKE") == 1
    assert zero_shot("tuberlin", "T30-PCYC") != zero_shot("tuberlin", "T30-SAKE")
    assert zero_shot("shapes", "0.25") == []
    assert all(
        0 < value < 1
        for dataset, split in (("sketchy-ext", "s25-pcyc"), ("quickdraw", "q30"))
        for one in zero_shot(dataset, split)
        for value in one.values.values()
    )
