"""Figures: what they show, that they are the same each time, and what is said without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenario_shelf import add_overlap, embed
from shelf import Shelf

from dfbench.errors import InvalidInput
from dfbench.reporting.comparisons.intervals import (
    OVER_BOTH,
    OVER_QUERIES,
    RECORDED,
    measured,
    measured_rows,
)
from dfbench.reporting.comparisons.questions import conditions
from dfbench.reporting.lines import Line, lines
from dfbench.reporting.overlap import ALL
from dfbench.reporting.plots.ablation import changes_of
from dfbench.reporting.plots.bars import bars_of
from dfbench.reporting.plots.overlap import panel_of
from dfbench.reporting.plots.runs import curve_of, shares_of
from dfbench.reporting.run_folders import RunFolders
from dfbench.reporting.site.table_page import interval_chart


def _line(shelf: Shelf, label: str) -> Line:
    [line] = [line for line in lines(shelf.records) if line.label == label]
    return line


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    for label, gain in (("crossx", 0.2), ("crossx[bn]", 0.25), ("classifier-posterior", 0.4)):
        shelf.add_seeds(label, gain, gain)
    for record in shelf.records:
        embed(shelf, record)
    return shelf


KINDS = {
    "bars": (),
    "ablation": (),
    "pr": (),
    "confusion": ("--method", "crossx"),
}


def _plot(shelf: Shelf, kind: str, target: Path, *more: str) -> None:
    finished = shelf.call("plot", kind, "-o", str(target), "--runs", str(shelf.runs), *more)
    assert finished.status == 0, finished.err
    assert f"figure: {target}" in finished.err


@pytest.mark.parametrize("kind", KINDS)
def test_same_records_give_the_same_file(kind: str, full: Shelf) -> None:
    files = [full.place / f"{name}.pdf" for name in ("one", "two")]
    for file in files:
        _plot(full, kind, file, *KINDS[kind])
    contents = [file.read_bytes() for file in files]
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"%PDF")
    assert b"CreationDate" not in contents[0]


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_figure_has_the_format_of_its_name(form: str, start: bytes, full: Shelf) -> None:
    target = full.place / f"bars.{form}"
    _plot(full, "bars", target)
    content = target.read_bytes()
    assert content.startswith(start)
    assert b"<dc:date>" not in content


def test_overlap_figure_names_its_rows_and_the_published_bars(shelf: Shelf) -> None:
    for overlap in (0.5, 1.0):
        add_overlap(shelf, "crossx", overlap, overlap / 2)
    for groups in ((), ("--groups",)):
        _plot(shelf, "overlap", shelf.place / "overlap.svg", *groups)
        text = (shelf.place / "overlap.svg").read_text(encoding="utf-8")
        assert ">Crossx<" in text
        assert ">published, sketchy<" in text
        assert ("queries of shared classes" in text) == bool(groups)


def test_intervals_are_over_seeds_and_queries_or_say_what_else(full: Shelf) -> None:
    line, runs = _line(full, "crossx"), RunFolders(full.runs)
    three = measured(line, "map@all", runs)
    assert three.kind == OVER_BOTH
    assert three.low < three.value < three.high
    assert measured(Line("two", line.records[:2]), "map@all", runs).kind == RECORDED
    assert measured(Line("one", line.records[:1]), "map@all", runs).kind == OVER_QUERIES
    gone = measured(line, "map@all", RunFolders(full.place / "elsewhere"))
    assert gone.kind == RECORDED
    assert gone.value == pytest.approx(three.value)


def test_report_and_figure_give_a_row_one_interval(full: Shelf) -> None:
    rows = lines(full.records)
    chart = interval_chart(rows, "map@all", full.runs)
    bars = {bar.name: bar.features for bar in bars_of(rows, "map@all", RunFolders(full.runs))}
    assert {row.line.name: row.by_representation[""] for row in chart.rows} == bars
    assert chart.kinds == [OVER_BOTH]
    _plot(full, "bars", full.place / "bars.svg")
    assert OVER_BOTH in (full.place / "bars.svg").read_text(encoding="utf-8")


def test_rows_of_one_table_do_not_affect_each_other(full: Shelf) -> None:
    rows, runs = lines(full.records), RunFolders(full.runs)
    for line, one in zip(rows, measured_rows(rows, "map@all", runs), strict=True):
        alone = measured(line, "map@all", runs)
        assert (one.low, one.high) == (pytest.approx(alone.low), pytest.approx(alone.high))


def test_captions_say_which_rows_have_which_interval(full: Shelf) -> None:
    rows = lines(full.records)
    (full.folder(_line(full, "crossx").records[1]) / "per_query.npz").unlink()
    kinds = interval_chart(rows, "map@all", full.runs).kinds
    assert f"{RECORDED} (Crossx)" in kinds
    assert len(kinds) == 2


def test_report_takes_recorded_intervals_where_a_run_folder_is_damaged(full: Shelf) -> None:
    line = _line(full, "crossx")
    (full.folder(line.records[1]) / "per_query.npz").write_bytes(b"damaged")
    (row,) = interval_chart([line], "map@all", full.runs).rows
    assert row.by_representation[""].kind == RECORDED
    with pytest.raises(InvalidInput, match="cannot be read"):
        measured(line, "map@all", RunFolders(full.runs))


def test_seeds_with_queries_of_their_own_are_not_crossed(shelf: Shelf) -> None:
    for seed in (0, 1, 2):
        shelf.add("crossx", 0.1, seed=seed, scenario="unseen=0.5")
    line, runs = _line(shelf, "crossx"), RunFolders(shelf.runs)
    data = [r.data.model_copy(update={"classes": (str(r.seed), "b")}) for r in line.records]
    own = [r.model_copy(update={"data": d}) for r, d in zip(line.records, data, strict=True)]
    crossed = measured(line, "map@all", runs)
    nested = measured(Line("own", tuple(own)), "map@all", runs)
    assert nested.value == pytest.approx(crossed.value)
    # Every query has its ups and downs: they average out over seeds that do not share them.
    assert nested.high - nested.low < crossed.high - crossed.low


def test_bars_have_their_published_numbers(full: Shelf) -> None:
    bars = {b.name: b for b in bars_of(lines(full.records), "map@all", RunFolders(full.runs))}
    assert bars["Crossx"].published == 0.827
    assert bars["Crossx [bn]"].published is None
    assert bars["Classifier-Posterior"].section == "data-free, no training"
    posterior = bars["Crossx"].posterior
    assert posterior is not None
    assert posterior.value == pytest.approx(bars["Crossx"].features.value)


def test_changes_are_variants_less_their_parent_with_the_interval_of_the_pair(full: Shelf) -> None:
    [condition] = conditions(full.records)
    parent = _line(full, "crossx")
    [change] = changes_of(condition, parent, "map@all", {}, RunFolders(full.runs))
    assert change.name == "Crossx [bn]"
    found = change.by_representation["features"]
    assert found.value == pytest.approx(0.05)
    assert found.low is not None
    assert found.low <= found.value
    [bare] = changes_of(condition, parent, "map@all", {}, RunFolders(full.place / "elsewhere"))
    assert bare.by_representation["features"].value == pytest.approx(0.05)
    assert bare.by_representation["features"].low is None


def test_precision_recall_is_that_of_the_embeddings(full: Shelf) -> None:
    curve = curve_of(_line(full, "crossx"), full.runs)
    # Nine sketches rank their ten photos first; one ranks them last: precision .5 at recall 1.
    assert curve.precision == pytest.approx(np.full(21, (9 + 0.5) / 10))
    assert np.all(curve.low <= curve.precision)
    assert np.all(curve.high >= curve.precision)


def test_confusion_is_what_the_top_r_hold(full: Shelf) -> None:
    shares = shares_of(_line(full, "crossx"), full.runs)
    assert shares == pytest.approx(np.array([[0.8, 0.2], [0.0, 1.0]]))


def test_overlap_points_are_those_of_the_records(shelf: Shelf) -> None:
    from dfbench.reporting.overlap import sweeps

    for seed in (0, 1):
        for overlap in (0.5, 1.0):
            add_overlap(shelf, "crossx", overlap, overlap / 2 + seed / 10, seed=seed)
    (sweep,) = sweeps(shelf.records)
    runs = RunFolders(shelf.runs)
    panel = panel_of(sweep, sweep.series, ALL, "map@all", "", runs)
    points = panel.curves[0].points
    assert {o: one.value for o, one in points.items()} == pytest.approx({0.5: 0.3, 1.0: 0.55})
    alone = panel_of(sweep, sweep.series, "sketch-only", "map@all", "", runs)
    only = alone.curves[0].points[0.5]
    assert (only.value, only.low, only.high) == pytest.approx((0.0, -0.02, 0.03))
    assert alone.chance == {0.5: pytest.approx(0.2)}


def test_one_figure_is_of_one_dataset_and_scenario(full: Shelf) -> None:
    full.add("crossx", 0.1, dataset="shapes")
    line = full.call("plot", "bars", "-o", str(full.place / "x.png")).refused()
    assert "shapes, closed; sketchy, closed" in line
    assert "--dataset" in line
    _plot(full, "bars", full.place / "x.png", "--dataset", "shapes")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bars", "-o", "x.gif"), "x.gif'; allowed: a name that ends in .png, .pdf, .svg"),
        (("bars", "-o", "x.png", "--metric", "mpa@all"), "did you mean 'map@all'"),
        (("bars", "-o", "x.png", "--method", "crossy"), "did you mean 'crossx'"),
        (("pr", "-o", "x.png", "--representation", "posteriors"), "did you mean 'posterior'"),
        (("confusion", "-o", "x.png"), "the figure shows one method, not 2"),
        (("ablation", "-o", "x.png", "--method", "classifier-posterior"), "with other settings"),
        (("overlap", "-o", "x.png"), "dfbench suite run benchmarks/overlap.toml"),
    ],
)
def test_wrong_request_is_one_line(arguments: tuple[str, ...], said: str, full: Shelf) -> None:
    assert said in full.call("plot", *arguments).refused()
    assert not Path("x.png").exists()


@pytest.mark.parametrize("kind", ["pr", "confusion"])
def test_missing_or_broken_runs_are_named_with_the_command(kind: str, full: Shelf) -> None:
    command = ("plot", kind, "-o", str(full.place / "x.png"), "--method", "crossx", "--runs")
    line = full.call(*command, str(full.place / "elsewhere")).refused()
    assert "has no embeddings with labels" in line
    assert "dfbench run --method crossx" in line
    (full.folder(_line(full, "crossx").first) / "embeddings.safetensors").write_bytes(b"x")
    line = full.call(*command, str(full.runs)).refused()
    assert "is damaged or inconsistent" in line


def test_no_records_are_said(shelf: Shelf) -> None:
    assert "no records in" in shelf.call("plot", "bars", "-o", str(shelf.place / "x.png")).refused()


def test_more_rows_than_colours_are_left_out_aloud(shelf: Shelf) -> None:
    for number in range(10):
        add_overlap(shelf, f"row{number}", 0.5, 0.3 + number / 100)
    target = shelf.place / "x.png"
    finished = shelf.call("plot", "overlap", "-o", str(target), "--runs", str(shelf.runs))
    assert "left out: row1, row0; choose methods with --method" in finished.err
    many = [part for n in range(9) for part in ("--method", f"row{n}")]
    line = shelf.call("plot", "overlap", "-o", str(target), *many).refused()
    assert "9 methods by --method; allowed: at most 8" in line


def test_records_of_a_sweep_need_not_have_every_overlap(shelf: Shelf) -> None:
    add_overlap(shelf, "crossx", 0.5, 0.4)
    add_overlap(shelf, "siamese", 0.1, 0.4)
    _plot(shelf, "overlap", shelf.place / "x.png")
