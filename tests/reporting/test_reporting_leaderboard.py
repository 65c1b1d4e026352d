from __future__ import annotations

import json
from statistics import fmean, stdev
from typing import Any

import pytest
from synthetic import reranked, synthetic_record

from dfbench.budget import Budget
from dfbench.records.record import Record
from dfbench.reporting.cells import mean_and_deviation, short, signed
from dfbench.reporting.published import published
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import leaderboards
from dfbench.reporting.tables.printing import print_layouts


def _one(records: list[Record]) -> Layout:
    (layout,) = leaderboards(records)
    return layout


def _cells(layout: Layout, row: int = 0) -> dict[str, str]:
    return dict(zip(layout.header, layout.rows[row], strict=True))


def test_row_shows_mean_and_sample_deviation_over_seeds() -> None:
    values = [0.50, 0.60, 0.55]
    layout = _one([synthetic_record(seed=s, value=v) for s, v in enumerate(values)])
    expected = f"{fmean(values):.3f} ± {stdev(values):.3f}".replace("0.", ".")
    assert _cells(layout)["mAP@all"] == expected
    assert _cells(layout)["seeds"] == "3"


def test_one_seed_has_no_deviation() -> None:
    assert _cells(_one([synthetic_record(value=0.625)]))["mAP@all"] == ".625"
    assert mean_and_deviation([]) == "-"


@pytest.mark.parametrize(
    ("value", "text"), [(0.9996, "+1.000"), (-0.0417, "-.042"), (0.0004, ".000"), (-1.5, "-1.500")]
)
def test_differences_have_a_sign(value: float, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, ".000"), (0.9996, "1.000"), (-0.01, "-0.010")])
def test_numbers_have_three_decimals(value: float, text: str) -> None:
    assert short(value) == text


def test_sections_stand_apart_with_the_best_of_each_first() -> None:
    layout = _one(
        [
            synthetic_record("mib", value=0.8, needs=("training data",)),
            synthetic_record("meta-data", value=0.3, needs=("activation records",)),
            synthetic_record("classifier-only", value=0.2),
            synthetic_record("crossx[zero-step]", value=0.1, trains=False),
            synthetic_record("crossx", value=0.7),
            synthetic_record("averaging-weights[mixed]", value=0.4),
            synthetic_record("mib[generated]", value=0.6, needs=("generated pairs",)),
        ]
    )
    assert layout.sections == (
        ("data-free, no training", 3),
        ("data-free, trained", 3),
        ("data-dependent references", 1),
    )
    assert [row[0] for row in layout.rows] == [
        *("Averaging-Weights [mixed]", "Classifier-Only", "Crossx [zero-step]"),
        *("Crossx", "Mib [generated]", "Meta-Data"),
        "Mib",
    ]


def test_sections_are_headed_in_text_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    layouts = leaderboards([synthetic_record(), synthetic_record("classifier-only", value=0.1)])
    print_layouts(layouts, "markdown")
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].startswith("| *data-free, no training* |")
    assert lines[6].startswith("| *data-free, trained* ")
    print_layouts(layouts, "text")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines.index("data-free, no training") < lines.index("data-free, trained")


def test_variants_are_rows_of_their_own() -> None:
    layout = _one([synthetic_record("crossx"), synthetic_record("crossx[bn]", value=0.4)])
    assert [row[0] for row in layout.rows] == ["Crossx", "Crossx [bn]"]


def test_seeds_of_other_configurations_are_not_averaged_and_the_difference_is_named() -> None:
    records = [
        synthetic_record(seed=0, value=0.5, config={"rounds": 8, "alignment": 5.0}),
        synthetic_record(seed=1, value=0.5, config={"rounds": 8, "alignment": 5.0}),
        synthetic_record(seed=0, value=0.3, config={"rounds": 2, "alignment": 5.0}),
    ]
    rows = _one(records).rows
    assert [row[0] for row in rows] == ["Crossx", "Crossx (rounds=2)"]
    assert [row[4] for row in rows] == ["2", "1"]


def test_ablations_by_settings_are_named_by_what_they_change() -> None:
    usual = {"rounds": 8, "alignment": 5.0, "entropy": 1.0}
    changes: list[dict[str, Any]] = [{"alignment": 0.0}, {"alignment": 0.0, "rounds": 2}]
    records = [
        synthetic_record(value=0.5, config=usual),
        synthetic_record(value=0.5, config=usual, seed=1),
        *(
            synthetic_record(value=0.4 - 0.1 * place, config={**usual, **change})
            for place, change in enumerate(changes)
        ),
    ]
    table = _one(records)
    assert [row[0] for row in table.rows] == [
        "Crossx",
        "Crossx (alignment=0.0)",
        "Crossx (alignment=0.0, rounds=2)",
    ]
    assert "Crossx, unless a row name states otherwise: alignment=5.0, rounds=8" in table.notes


def test_equally_frequent_settings_are_all_named() -> None:
    records = [
        synthetic_record(value=0.5, config={"rounds": 8, "entropy": 1.0}),
        synthetic_record(value=0.4, config={"rounds": 2, "entropy": 1.0}),
        synthetic_record(value=0.3, config={"rounds": 8, "entropy": 1.0, "extra": None}),
    ]
    table = _one(records)
    assert [row[0] for row in table.rows] == [
        "Crossx (extra=(none), rounds=8)",
        "Crossx (extra=(none), rounds=2)",
        "Crossx (extra=None, rounds=8)",
    ]
    assert not any("unless" in note for note in table.notes)


def test_rows_of_another_budget_are_marked_and_a_note_says_the_usual_one() -> None:
    short = Budget(steps=9)
    records = [
        synthetic_record(),
        synthetic_record("mib", value=0.3),
        synthetic_record(budget=short, value=0.2),
        synthetic_record("siamese", budget=short, value=0.1),
    ]
    table = _one(records)
    assert [row[0] for row in table.rows] == [
        "Crossx",
        "Mib",
        "Crossx (budget.steps=9)",
        "Siamese (budget.steps=9)",
    ]
    assert "unless a row name states otherwise: budget.steps=600" in table.notes
    assert not any("unless" in note for note in _one(records[:2]).notes)


def test_other_data_is_another_table_even_under_the_same_name() -> None:
    records = [
        synthetic_record(dataset="sketchy"),
        synthetic_record(dataset="shapes"),
        synthetic_record(dataset="shapes", fingerprint="f2"),
    ]
    titles = [layout.title for layout in leaderboards(records)]
    assert titles == [
        "shapes, closed, 2 classes",
        "shapes, closed, 2 classes",
        "sketchy, closed, 2 classes",
    ]


def test_published_numbers_stand_beside_the_row_and_name_their_source() -> None:
    layout = _one([synthetic_record("crossx"), synthetic_record("classifier-only", value=0.3)])
    assert _cells(layout, 1)["published"] == ".827 / .831"
    assert _cells(layout, 1)["difference"] == "-.327 / -.331"
    assert _cells(layout, 0)["published"] == ".530 / .542"
    assert any("CVPR 2023" in note for note in layout.notes)
    row = layout.content["rows"][1]
    assert (row["published"]["map@all"], row["published"]["prec@200"]) == (0.827, 0.831)
    assert row["difference"]["map@all"] == pytest.approx(0.5 - 0.827)


def test_published_numbers_are_not_put_beside_variants_or_unpublished_rows() -> None:
    records = [synthetic_record("crossx[bn]"), synthetic_record("classifier-logits", value=0.1)]
    layout = _one(records)
    assert [row[-1] for row in layout.rows] == ["-", "-"]


def test_data_nobody_published_on_has_no_such_column() -> None:
    layout = _one([synthetic_record(dataset="shapes")])
    assert "published" not in layout.header
    assert layout.content["rows"][0]["published"] is None


@pytest.mark.parametrize(
    ("dataset", "method", "values"),
    [
        ("sketchy", "crossx", (0.827, 0.831)),
        ("tuberlin", "averaging-weights", (0.450, 0.473)),
        ("quickdraw", "alternative-data", (0.290, 0.330)),
        ("quickdraw", "unimodal-distillation", (0.130, 0.140)),
    ],
)
def test_shipped_numbers_are_those_of_the_paper(
    dataset: str, method: str, values: tuple[float, float]
) -> None:
    found = published(dataset, "closed")[method]
    assert (found.values["map@all"], found.values["prec@200"]) == values
    assert len(published(dataset, "closed")) == 7
    assert published(dataset, "unseen") == {}


def test_needs_posterior_and_definitions_are_shown() -> None:
    layout = _one([synthetic_record(posterior=0.75, needs=("modality classifier",), ceiling=0.4)])
    cells = _cells(layout)
    assert cells["needs"] == "modality classifier"
    assert cells["posterior"] == ".750"
    notes = "\n".join(layout.notes)
    assert "mAP@all: formula of map@all" in notes
    assert "Prec@200: formula of prec@200 (at most .400 here)" in notes
    assert "chance mAP@all .100" in notes


def test_accuracies_of_several_seeds_are_a_range() -> None:
    notes = "\n".join(_one([synthetic_record(seed=s) for s in (0, 3)]).notes)
    assert "photo .900, sketch .800 to .830" in notes


def test_json_holds_every_seed_and_parses(capsys: pytest.CaptureFixture[str]) -> None:
    records = [synthetic_record(seed=s, value=v, posterior=v) for s, v in ((1, 0.6), (0, 0.5))]
    print_layouts(leaderboards(records), "json")
    (table,) = json.loads(capsys.readouterr().out)
    (row,) = table["rows"]
    assert row["method"] == "crossx"
    assert row["seeds"] == [0, 1]
    assert row["metrics"]["map@all"] == [0.5, 0.6]
    assert row["representations"]["posterior"]["map@all"] == [0.5, 0.6]
    assert row["records"] == [records[1].eval_id, records[0].eval_id]
    definition = table["definitions"]["map@all"]
    assert (definition["formula"], definition["version"]) == ("formula of map@all", 1)


def test_markdown_is_a_table_with_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    print_layouts(leaderboards([synthetic_record("crossx[bn]", value=0.5)]), "markdown")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### sketchy, closed, 2 classes"
    assert lines[2].startswith("| method")
    assert set(lines[3]) <= set("|-: ")
    assert "Crossx [bn]" in lines[4]
    assert lines[2].count("|") == lines[3].count("|") == lines[4].count("|")
    assert any(line.startswith("- ") for line in lines)


def test_text_shows_brackets_and_colons_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_layouts(
        [Layout(":cat: [b]", ("a",), (("crossx[red]:dog:",),), ("[dim]:x:",), {})], "text"
    )
    out = capsys.readouterr().out
    assert ":cat: [b]" in out
    assert "crossx[red]:dog:" in out
    assert "[dim]:x:" in out


def test_markdown_shows_brackets_and_colons_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout("a [b] :cat:", ("a",), (("crossx[red]:dog:",),), ("[dim] :fire:",), {})
    print_layouts([layout], "markdown")
    out = capsys.readouterr().out
    assert "### a [b] :cat:" in out
    assert "crossx[red]:dog:" in out
    assert "- [dim] :fire:" in out


def test_reranked_scores_have_marked_columns_and_leave_the_plain_ones_as_they_are() -> None:
    plain = synthetic_record(value=0.5, posterior=0.6)
    layout = _one([reranked(plain, 0.75), synthetic_record("siamese", value=0.4)])
    cells = _cells(layout)
    assert cells["mAP@all"] == ".500"
    assert cells["diffusion:k=20 *"] == ".750"
    assert any("transductive" in note for note in layout.notes)
    assert any("f on a graph; k 20" in note for note in layout.notes)
    row, other = layout.content["rows"]
    if row["method"] != "crossx":
        row, other = other, row
    assert row["metrics"]["map@all"] == [0.5]
    assert row["reranked"]["diffusion:k=20"]["metrics"]["map@all"] == [0.75]
    assert row["reranked"]["diffusion:k=20"]["representations"]["posterior"]["acc@1"] == [0.75]
    assert "reranked" not in other
    fields = next(fields for fields in layout.fields() if "diffusion:k=20 * map@all" in fields)
    assert fields["diffusion:k=20 * map@all"].value == 0.75
    assert fields["diffusion:k=20 * posterior map@all"].value == 0.75


def test_table_without_rerankings_has_no_column_for_them() -> None:
    layout = _one([synthetic_record()])
    assert not any("*" in title for title in layout.header)
    assert not any("transductive" in note for note in layout.notes)
