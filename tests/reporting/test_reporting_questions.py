"""What the page of results asks: each question's numbers, and which rows answer it."""

from __future__ import annotations

from typing import Any

import pytest
from shelf import Shelf

from dfbench.budget import Budget
from dfbench.reporting.published import papers

DATA = ("training data",)
GENERATED = {"needs": ("generated pairs",), "pairs_of": "crossx"}


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    """Every kind of row; headlines are .45 and a bit."""
    shelf.add_seeds("classifier-posterior", 0.4)
    shelf.add_seeds("classifier-only", 0.0)
    shelf.add_seeds("alternative-data", 0.1, posterior=0.2)
    shelf.add_seeds("crossx", 0.3, posterior=0.35)
    shelf.add_seeds("crossx[no-alignment]", 0.2, posterior=0.1)
    shelf.add_seeds("crossx-data", 0.35, posterior=0.45, needs=DATA)
    shelf.add_seeds("siamese", 0.25, posterior=0.25, needs=DATA)
    shelf.add_seeds("siamese[generated]", 0.15, posterior=0.2, **GENERATED)
    return shelf


def _asked(shelf: Shelf) -> dict[str, dict[str, Any]]:
    tables = shelf.call("compare", "--format", "json").json
    return {table["question"]: table for table in tables}


def _row(table: dict[str, Any], **cells: str) -> dict[str, Any]:
    (row,) = [r for r in table["rows"] if all(r[name] == text for name, text in cells.items())]
    return row


def _share(asked: dict[str, dict[str, Any]], method: str = "Crossx") -> dict[str, Any]:
    """How much of the gap to real pairs a method closes."""
    return asked[
        f"How much of the gap between the best baseline and crossx-data does {method} close?"
    ]


def test_difference_from_published_baselines_is_given_by_both_representations(full: Shelf) -> None:
    table = _asked(full)["Does Crossx outperform each published baseline?"]
    row = _row(table, baseline="Alternative-Data")
    assert row["features"]["value"] == pytest.approx(0.2)
    assert row["features"]["verdict"] == "better"
    assert row["posterior"]["value"] == pytest.approx(0.15)
    assert row["published"] == "+.171"
    untrained = _row(table, baseline="Classifier-Only")
    assert untrained["posterior"]["value"] == pytest.approx(0.35)
    assert [side["representation"] for side in untrained["posterior"]["sides"]] == ["posterior", ""]
    assert len(table["rows"]) == 2
    assert any("gaussian-prior" in note for note in table["notes"])


def test_share_of_the_gap_starts_at_the_best_baseline(full: Shelf) -> None:
    table = _share(_asked(full))
    features = _row(table, representation="features")
    assert features["best baseline"] == "Alternative-Data"
    assert features["share of the gap"]["value"] == pytest.approx((0.3 - 0.1) / (0.35 - 0.1))
    posterior = _row(table, representation="posterior")["share of the gap"]
    assert posterior["value"] == pytest.approx((0.35 - 0.2) / (0.45 - 0.2))
    assert posterior["low"] < posterior["value"] < posterior["high"]
    assert "published on sketchy: .830" in table["notes"]


def test_best_baseline_is_ahead_over_common_seeds(shelf: Shelf) -> None:
    shelf.add_seeds("crossx", 0.3)
    shelf.add_seeds("crossx-data", 0.35, needs=DATA)
    shelf.add("meta-data", 0.15, seed=0)
    for seed, gain in enumerate((0.2, 0.0, 0.0)):
        shelf.add("alternative-data", gain, seed=seed)
    table = _share(_asked(shelf))
    assert _row(table, representation="features")["best baseline"] == "Alternative-Data"


def test_share_has_no_value_where_the_twin_is_no_better_than_a_baseline(shelf: Shelf) -> None:
    shelf.add_seeds("alternative-data", 0.3, posterior=0.2)
    shelf.add_seeds("crossx", 0.2, posterior=0.2)
    shelf.add_seeds("crossx-data", 0.25, posterior=0.2001, needs=DATA)
    out = shelf.call("compare", "--format", "markdown").out
    line = next(line for line in out.splitlines() if line.startswith("| features"))
    assert "- (denominator not positive)" in line


def test_ablations_are_the_variants_of_the_proposed_row(full: Shelf) -> None:
    table = _asked(full)["What does each change to Crossx cost?"]
    (row,) = table["rows"]
    assert row["variant"] == "Crossx [no-alignment]"
    assert row["features"]["value"] == pytest.approx(-0.1)
    assert row["posterior"]["value"] == pytest.approx(-0.25)
    assert row["features"]["verdict"] == "worse"


def test_an_extension_is_asked_what_the_method_of_the_paper_is_asked(full: Shelf) -> None:
    full.add_seeds("crossx[bn]", 0.32, posterior=0.36)
    asked = _asked(full)
    baselines = asked["Does Crossx [bn] outperform each published baseline?"]
    row = _row(baselines, baseline="Alternative-Data")
    assert row["features"]["value"] == pytest.approx(0.22)
    assert "published" not in row
    share = _share(asked, "Crossx [bn]")
    features = _row(share, representation="features")["share of the gap"]
    assert features["value"] == pytest.approx((0.32 - 0.1) / (0.35 - 0.1))
    assert not any("published" in note for note in share["notes"])
    pairs = asked["How far is data-free from data-dependent training?"]
    row = _row(pairs, **{"without data": "Crossx [bn]", "representation": "posterior"})
    assert row["with data"] == "Crossx-Data"
    assert row["difference"]["value"] == pytest.approx(0.45 - 0.36)
    assert row["published"] == ""
    assert "What does each change to Crossx [bn] cost?" not in asked


def test_an_extension_is_asked_without_a_record_of_the_method(shelf: Shelf) -> None:
    shelf.add_seeds("classifier-only", 0.0)
    shelf.add_seeds("crossx[bn]", 0.3, posterior=0.35)
    asked = _asked(shelf)
    assert asked["Does Crossx [bn] outperform each published baseline?"]["rows"]
    assert not asked["Baselines and ablations of crossx"]["rows"]


def test_changed_settings_of_an_extension_are_its_ablations_and_asked_nothing_else(
    full: Shelf,
) -> None:
    usual = {"alignment": 5.0, "modality": 0.3, "pair_targets": "soft"}
    full.add_seeds("crossx[bn]", 0.32, posterior=0.36, config=usual)
    for seed in (0, 1):
        unaligned = {**usual, "alignment": 0.0, "pair_targets": "noise"}
        full.add("crossx[bn]", 0.12, posterior=0.16, config=unaligned, seed=seed)
        noisy = {**usual, "pair_targets": "noise"}
        full.add("crossx[bn]", 0.31, posterior=0.36, config=noisy, seed=seed)
    asked = _asked(full)
    table = asked["What does each change to Crossx [bn] cost?"]
    row = _row(table, variant="Crossx [bn] (alignment=0.0, pair_targets=noise)")
    assert row["features"]["value"] == pytest.approx(-0.2)
    assert row["posterior"]["value"] == pytest.approx(-0.2)
    assert _row(table, variant="Crossx [bn] (pair_targets=noise)")
    about = [title for title in asked if "Crossx [bn]" in title]
    assert len(about) == 3
    assert not any("=" in title for title in about)
    pairs = asked["How far is data-free from data-dependent training?"]
    assert "=" not in "".join(row["without data"] for row in pairs["rows"])


def test_every_row_is_held_against_the_posterior_of_the_teachers(full: Shelf) -> None:
    table = _asked(full)["Does any method outperform Classifier-Posterior?"]
    assert len(table["rows"]) == 7
    row = _row(table, method="Crossx-Data")
    assert row["features"]["value"] == pytest.approx(-0.05)
    assert row["posterior"]["value"] == pytest.approx(0.05)
    assert row["posterior"]["verdict"] == "better"
    assert _row(table, method="Classifier-Only")["posterior"] == "-"


def test_data_free_twins_stand_beside_their_references_and_the_printed_gap(full: Shelf) -> None:
    table = _asked(full)["How far is data-free from data-dependent training?"]
    row = _row(table, **{"with data": "Siamese", "representation": "features"})
    assert row["without data"] == "Siamese [generated]"
    assert row["difference"]["value"] == pytest.approx(0.1)
    assert row["ratio"]["value"] == pytest.approx((0.45 + 0.15) / (0.45 + 0.25))
    assert "verdict" not in row["ratio"]
    assert row["published"] == "+.036, .950 (sketchy)"
    crossx = _row(table, **{"with data": "Crossx-Data", "representation": "features"})
    assert crossx["published"] == "+.035, .959 (sketchy)"
    assert any("triplet[generated]" in note for note in table["notes"])


def test_twins_of_anybodys_method_are_found_by_their_needs(full: Shelf) -> None:
    full.add_seeds("mine", 0.3, posterior=0.3, needs=DATA)
    full.add_seeds("mine[free]", 0.2, posterior=0.1, **GENERATED)
    table = _asked(full)["How far is data-free from data-dependent training?"]
    row = _row(table, **{"with data": "Mine", "representation": "posterior"})
    assert row["difference"]["value"] == pytest.approx(0.2)


def test_a_row_that_generates_pairs_beside_a_data_free_row_is_no_twin(full: Shelf) -> None:
    full.add_seeds("averaging-weights", 0.1, posterior=0.1)
    full.add_seeds("averaging-weights[reestimated]", 0.2, posterior=0.1, **GENERATED)
    table = _asked(full)["How far is data-free from data-dependent training?"]
    assert {row["with data"] for row in table["rows"]} == {"Siamese", "Crossx-Data"}


def test_what_cannot_be_asked_says_which_rows_are_missing(shelf: Shelf) -> None:
    shelf.add_seeds("classifier-only", 0.0)
    out = shelf.call("compare", "--format", "markdown").out
    assert "left out: no record of classifier-posterior\n" in out
    shelf.add_seeds("crossx", 0.1, posterior=0.1)
    out = shelf.call("compare", "--format", "markdown").out
    assert "left out: no record of crossx-data\n" in out
    assert "left out: no record of a variant of crossx\n" in out
    (shelf.results / "sketchy").rename(shelf.place / "away")
    shelf.add("classifier-posterior", 0.2)
    out = shelf.call("compare", "--format", "markdown").out
    assert "left out: no record of another method\n" in out
    shelf.add("crossx", 0.1)
    out = shelf.call("compare", "--format", "markdown").out
    assert "left out: no record of classifier-only, unimodal-distillation," in out
    assert "less" not in out


def test_only_the_usual_condition_says_what_cannot_be_asked(shelf: Shelf) -> None:
    shelf.add_seeds("classifier-posterior", 0.2)
    shelf.add("crossx", 0.1, budget=Budget(steps=9))
    out = shelf.call("compare", "--format", "markdown").out
    assert "left out: no record of another method\n" in out
    assert "budget.steps=9" not in out


@pytest.mark.parametrize(
    ("labels", "asked_for"),
    [
        (("mine",), False),
        (("mine", "mine[other]"), False),
        (("mine", "classifier-only", "classifier-posterior"), False),
        (("averaging-weights", "alternative-data"), False),
        (("mine", "classifier-posterior", "meta-data"), False),
        (("mine", "crossx[bn]"), True),
        (("mine", "crossx"), True),
        (("mine", "crossx-data"), True),
    ],
)
def test_a_paper_is_asked_about_only_where_its_method_was_run(
    shelf: Shelf, labels: tuple[str, ...], *, asked_for: bool
) -> None:
    for label in labels:
        shelf.add(label, 0.1)
    compared = shelf.call("compare", "--format", "markdown").out
    page = shelf.place / "page.md"
    assert shelf.call("table", "--page", str(page)).status == 0
    told = [text.lower() for text in (compared, page.read_text(encoding="utf-8"))]
    assert ["crossx" in text for text in told] == [asked_for, asked_for]


def test_a_baselines_stronger_variant_is_the_one_to_beat(full: Shelf) -> None:
    full.add_seeds("alternative-data[strong]", 0.15, posterior=0.2)
    asked = _asked(full)
    table = asked["Does Crossx outperform each published baseline?"]
    row = _row(table, baseline="Alternative-Data [strong]")
    assert row["features"]["value"] == pytest.approx(0.15)
    assert row["published"] == "-"
    table = _share(asked)
    share = _row(table, representation="features")
    assert share["best baseline"] == "Alternative-Data [strong]"
    assert share["share of the gap"]["value"] == pytest.approx(0.15 / 0.2)


def test_published_gaps_are_not_shown_in_another_scenario(shelf: Shelf) -> None:
    shelf.add("crossx", 0.3, scenario="unseen=0.5")
    shelf.add("classifier-only", 0.1, scenario="unseen=0.5")
    table = _asked(shelf)["Does Crossx outperform each published baseline?"]
    assert "published" not in table["rows"][0]


def test_other_budgets_are_asked_apart_and_told_apart(full: Shelf) -> None:
    short = Budget(steps=9)
    full.add_seeds("crossx", 0.0, posterior=0.0, budget=short)
    full.add_seeds("classifier-posterior", 0.4, budget=short)
    out = full.call("compare", "--format", "markdown").out
    assert "### Does any method outperform Classifier-Posterior? (budget.steps=9)" in out
    assert "### Does any method outperform Classifier-Posterior?\n" in out


def test_an_older_version_of_a_method_is_not_asked_any_more(full: Shelf) -> None:
    full.add_seeds("crossx", 0.0, posterior=0.0, version=0)
    table = _asked(full)["Does Crossx outperform each published baseline?"]
    assert _row(table, baseline="Alternative-Data")["features"]["value"] == pytest.approx(0.2)


def test_a_missing_run_leaves_its_comparisons_open_and_is_named(full: Shelf) -> None:
    record = next(r for r in full.records if r.method.label == "alternative-data" and r.seed == 1)
    (full.folder(record) / "per_query.npz").unlink()
    finished = full.call("compare", "--format", "markdown")
    assert "+.200 (no interval yet)" in finished.out
    assert finished.err.count("dfbench run --method alternative-data") == 1
    assert "comparisons could not be made" in finished.err


def test_printed_gaps_and_ratio_are_those_of_the_paper() -> None:
    (paper,) = [paper for paper in papers() if paper.proposes == "crossx"]
    gaps = {twins.data: twins.printed["sketchy"] for twins in paper.twins}
    assert {name: round(data - free, 3) for name, (data, free) in gaps.items()} == {
        "siamese": 0.036,
        "triplet": 0.022,
        "mib": 0.056,
        "crossx-data": 0.035,
    }
    assert len(paper.baselines) == 6
