"""Runs in a scenario: records, run folders, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import TINY_CROSSX
from numpy.typing import NDArray
from zoo_bench import BENCHMARK, IMAGES, ZooBench

from dfbench.process.handover import LABELS_FILE
from dfbench.records.store import read_record

ROW = "classifier-posterior"
TEST_IMAGES = 2
"""Of each class and modality: a fifth, rounded."""


def _folder(bench: ZooBench, record: dict[str, Any]) -> Path:
    (folder,) = bench.bench.runs.glob(f"*/*-s0-{record['fit_id'][:12]}")
    return folder


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    with np.load(file) as stored:
        return dict(stored)


def _of_group(
    values: NDArray[Any], labels: NDArray[Any], record: dict[str, Any], group: str
) -> Any:
    classes = record["division"][group.replace("-", "_")]
    numbers = [record["data"]["classes"].index(name) for name in classes]
    return values[np.isin(labels, numbers)]


def test_overlap_scores_queries_by_who_knows_their_class(zoo_bench: ZooBench) -> None:
    record = zoo_bench.record(ROW, "overlap=.3")
    assert record["scenario"] == "overlap=0.3"
    assert record["division"]["overlap"] == 2 / 5
    assert record["data"]["classes"] == list(BENCHMARK)
    assert record["data"]["queries"] == record["data"]["gallery"] == 5 * TEST_IMAGES
    assert [record["teachers"][m]["classes"] for m in ("photo", "sketch")] == [4, 3]
    groups = record["groups"]
    assert {name: group["queries"] for name, group in groups.items()} == {
        "shared": 2 * TEST_IMAGES,
        "photo-only": 2 * TEST_IMAGES,
        "sketch-only": TEST_IMAGES,
    }
    folder = _folder(zoo_bench, record)
    labels = _arrays(folder / LABELS_FILE)
    values = _arrays(folder / "per_query.npz")["map@all"]
    for name, group in groups.items():
        expected = _of_group(values, labels["sketch"], record, name).mean()
        score = group["metrics"]["map@all"]
        assert score["value"] == pytest.approx(expected)
        assert score["low"] <= score["value"] <= score["high"]
        assert group["chance"] == pytest.approx(record["chance"])  # classes of one size
    (file,) = zoo_bench.bench.results.glob("*/*.json")
    assert read_record(file.read_bytes()).groups.keys() == groups.keys()


def test_whole_overlap_gives_the_numbers_of_closed_to_the_last_digit(zoo_bench: ZooBench) -> None:
    for row in (ROW, "alternative-data", "crossx"):
        short = TINY_CROSSX if row == "crossx" else {}
        extra = [part for key, value in short.items() for part in ("--set", f"{key}={value}")]
        closed = zoo_bench.record(row, "closed", *extra)
        whole = zoo_bench.record(row, "overlap=1", *extra)
        assert (closed["scenario"], whole["scenario"]) == ("closed", "overlap=1.0")
        assert whole["fit_id"] != closed["fit_id"]
        assert whole["teachers"] == closed["teachers"]
        for part in ("metrics", "representations", "digests", "chance"):
            assert whole[part] == closed[part]
        assert closed["division"] is None
        assert closed["groups"] == {}
        assert whole["division"]["shared"] == list(BENCHMARK)
        assert list(whole["groups"]) == ["shared"]
        assert whole["groups"]["shared"]["metrics"] == whole["metrics"]


def test_unseen_retrieves_all_images_of_the_unseen_classes_and_no_others(
    zoo_bench: ZooBench,
) -> None:
    record = zoo_bench.record("classifier-only", "unseen=0.4")
    division = record["division"]
    assert sorted((*division["shared"], *division["unseen"])) == list(BENCHMARK)
    assert record["data"]["classes"] == division["unseen"]
    assert record["data"]["queries"] == record["data"]["gallery"] == 2 * IMAGES
    assert [record["teachers"][m]["classes"] for m in ("photo", "sketch")] == [3, 3]
    assert record["groups"] == {}
    labels = _arrays(_folder(zoo_bench, record) / LABELS_FILE)
    for modality in ("photo", "sketch"):
        assert np.bincount(labels[modality]).tolist() == [IMAGES, IMAGES]
        assert sorted(labels[f"{modality}_order"]) == list(range(2 * IMAGES))


def test_photo_teacher_of_a_fixed_size_overlap_is_the_same_at_every_overlap(
    zoo_bench: ZooBench,
) -> None:
    some, all_ = (zoo_bench.record(ROW, f"fixed-overlap={o}") for o in ("0.5", "1"))
    identities = [record["teachers"]["photo"]["identity"] for record in (some, all_)]
    assert identities[0] == identities[1]
    assert some["teachers"]["sketch"]["identity"] != all_["teachers"]["sketch"]["identity"]
    assert len(some["data"]["classes"]) == 3
    assert len(all_["data"]["classes"]) == 2


def test_a_finished_run_is_found_again_however_its_scenario_is_spelt(zoo_bench: ZooBench) -> None:
    first = zoo_bench.record(ROW, "overlap=0.3")
    again = zoo_bench.run(ROW, "overlap=.30")
    assert again.status == 0
    assert len(list(zoo_bench.bench.results.glob("*/*.json"))) == 1
    assert first["eval_id"][:12] in next(zoo_bench.bench.results.glob("*/*.json")).name


@pytest.mark.parametrize(
    ("method", "scenario", "message"),
    [
        (ROW, "open", "unknown scenario 'open'"),
        (ROW, "overlap=1.5", "above 0 and at most 1, e.g. --scenario overlap=0.5"),
        (ROW, "overlap=0.05", "leaves no shared class"),
        (ROW, "unseen=s25-sake", "no split is published for these 5 classes of 'folder:zoo'"),
        (ROW, "unseen=0.7", "leaves the photo teacher 1 classes"),
        (
            "crossx[unified-teacher]",
            "overlap=0.3",
            "cannot run in scenario 'overlap=0.3': one teacher of both modalities learns",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    method: str, scenario: str, message: str, zoo_bench: ZooBench
) -> None:
    assert message in zoo_bench.run(method, scenario).refused()
    assert not zoo_bench.bench.results.exists()


def test_a_row_of_one_teacher_runs_where_both_would_know_the_same(zoo_bench: ZooBench) -> None:
    extra = ("--set", "estimator_steps=4", "--set", "rounds=2", "--set", "estimator_batch=8")
    for scenario in ("overlap=1.0", "unseen=0.4"):
        record = zoo_bench.record("crossx[unified-teacher]", scenario, *extra)
        assert record["scenario"] == scenario


SUITE = """
methods = ["classifier-posterior", "crossx[unified-teacher]"]
seeds = [0]
{scenarios}
[[datasets]]
dataset = "folder:{zoo}"
classes = {classes}
alternative_classes = ["fox", "gnu"]
{own}
"""


def _suite(bench: ZooBench, scenarios: str, own: str = "") -> Path:
    file = bench.bench.place / "suite.toml"
    classes = list(BENCHMARK)
    text = SUITE.format(scenarios=scenarios, zoo=bench.zoo, classes=classes, own=own)
    file.write_text(text, encoding="utf-8")
    return file


def _plan(bench: ZooBench, file: Path) -> Any:
    places = ("--results", str(bench.bench.results), "--cache", str(bench.bench.cache))
    arguments = ("suite", "plan", str(file), *places, "--device", "cpu", "--format", "json")
    return bench.bench.call(*arguments)


def test_suite_skips_a_row_that_cannot_run_and_says_why(zoo_bench: ZooBench) -> None:
    planned = _plan(zoo_bench, _suite(zoo_bench, 'scenarios = ["overlap=.3", "closed"]')).json
    told = {
        (run["method"], run["scenario"]): (run["status"], run["reason"]) for run in planned["runs"]
    }
    status, reason = told["crossx[unified-teacher]", "overlap=0.3"]
    assert status == "skipped"
    assert "learns photos and sketches of the same classes" in reason
    assert told["crossx[unified-teacher]", "closed"][0] == "planned"
    assert told[ROW, "overlap=0.3"][0] == "planned"


def test_a_dataset_of_a_suite_may_have_scenarios_of_its_own(zoo_bench: ZooBench) -> None:
    file = _suite(zoo_bench, 'scenarios = ["overlap=0.5"]', 'scenarios = ["unseen=0.4"]')
    planned = _plan(zoo_bench, file).json
    assert {run["scenario"] for run in planned["runs"]} == {"unseen=0.4"}


@pytest.mark.parametrize(
    ("scenarios", "own", "message"),
    [
        ('scenarios = ["closed", "overlap=2"]', "", "line 4, key scenarios[1]: scenario 'overlap"),
        ('scenarios = ["overlap=.5", "overlap=0.50"]', "", "key scenarios[1]: the same as scenar"),
        ('scenarios = ["unseen=q30"]', "", "line 4, key scenarios[0]: scenario 'unseen=q30': no s"),
        ("", 'scenarios = ["unseen=q30"]', "line 9, key datasets[0].scenarios[0]: scenario 'unse"),
    ],
)
def test_suite_names_the_line_of_a_wrong_scenario(
    scenarios: str, own: str, message: str, zoo_bench: ZooBench
) -> None:
    finished = _plan(zoo_bench, _suite(zoo_bench, scenarios, own))
    assert finished.status == 2
    assert message in finished.err
