"""What re-rankers add: a question of the results page, with paired intervals over queries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench import Bench
from synthetic import reranked, synthetic_record

from dfbench.records.record import Record
from dfbench.records.store import ResultStore
from dfbench.reporting.comparisons.comparison import Representation, Side, Wanted
from dfbench.reporting.comparisons.gallery import gallery_questions
from dfbench.reporting.comparisons.questions import conditions
from dfbench.reporting.lines import Line, lines
from dfbench.reporting.run_folders import RunFolders
from dfbench.reporting.tables.page import results_page, wanted

LABEL = "query-expansion:k=3"


def places(bench: Bench) -> tuple[str, ...]:
    return "--results", str(bench.results), "--runs", str(bench.runs)


def test_difference_to_the_plain_ranking_has_a_paired_interval(quick_bench: Bench) -> None:
    quick_bench.record("averaging-weights", "--rerank", LABEL)
    (record,) = ResultStore(quick_bench.results)
    page = quick_bench.results / "README.md"
    before = quick_bench.call("table", "reranking", *places(quick_bench))
    assert "no interval yet" in before.out
    assert quick_bench.call("compare", "--write", *places(quick_bench)).status == 0
    stored = json.loads((quick_bench.results / "comparisons.json").read_bytes())["comparisons"]
    again = [one for one in stored if one["sides"][0].get("reranker") == LABEL]
    assert [one["sides"][0]["representation"] for one in again] == ["", "posterior"]
    folders = RunFolders(quick_bench.runs)
    for one in again:
        own = one["sides"][0]["representation"]
        plain, added = (folders.values(record, "map@all", own, r) for r in ("", LABEL))
        assert one["value"] == pytest.approx((added - plain).mean())
        assert one["low"] <= one["value"] <= one["high"]
        assert one["high"] - one["low"] < 4 * np.std(added - plain) / len(plain) ** 0.5 + 1e-9
        assert "reranker" not in one["sides"][1]
    table = quick_bench.call("table", "reranking", *places(quick_bench)).out
    assert "what does the gallery know?" in table
    assert "no interval yet" not in table
    assert "transductive" in table
    assert quick_bench.call("table", "--page", str(page), *places(quick_bench)).status == 0
    main, _, rest = page.read_text(encoding="utf-8").partition("### What does the gallery know?")
    assert LABEL not in main
    assert f"| {LABEL}" in rest
    assert "no verdict: 1 seed" in rest


def test_table_of_rerankings_without_one_says_how_to_make_some(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    line = quick_bench.call("table", "reranking", *places(quick_bench)).refused()
    assert "no re-ranked scores among these records" in line
    assert "--rerank diffusion" in line


def test_rerankings_under_partial_overlap_are_on_the_page_too() -> None:
    record = reranked(synthetic_record(scenario="overlap=0.5", posterior=0.4), 0.6)
    text = results_page([record], {}, "")
    assert "## sketchy, overlap=0.5: what does the gallery know?" in text
    assert len(wanted([record])) == 2


def test_seeds_without_a_reranking_and_of_an_earlier_version_are_left_out() -> None:
    first, second, third = (synthetic_record(seed=seed, value=0.5) for seed in range(3))
    line = Line("crossx", (with_version(first, 1), with_version(second, 2), third))
    sides = Representation(line, "", "diffusion:k=20"), Representation(line)
    assert Wanted("difference", sides).seeds == (1,)
    assert Wanted("difference", (sides[1], sides[1])).seeds == (0, 1, 2)


def test_method_without_posterior_has_no_difference_there() -> None:
    (condition,) = conditions([reranked(synthetic_record(value=0.5), 0.7)])
    (question,) = gallery_questions(condition)
    plain, added = question.rows
    assert plain[1:] == ("plain", ".500", "-")
    assert added[1] == "diffusion:k=20"
    (difference,) = question.wanted
    assert difference.value == pytest.approx(0.2)
    assert gallery_questions(conditions([synthetic_record()])[0]) == []


def test_plain_scores_are_those_of_the_seeds_that_were_reranked() -> None:
    records = [synthetic_record(seed=seed, value=0.1 * (seed + 1)) for seed in range(4)]
    both = reranked(records[0], 0.6)
    both = both.model_copy(
        update={"reranked": {**both.reranked, "expansion": both.reranked["diffusion:k=20"]}}
    )
    only = [reranked(record, 0.6) for record in records[1:3]]
    (condition,) = conditions([both, *only, records[3]])
    (question,) = gallery_questions(condition)
    labels = [(row[1], row[2]) for row in question.rows]
    assert [label for label, _ in labels] == [
        "plain, 3 of 4 seeds",
        "diffusion:k=20",
        "plain, 1 of 4 seeds",
        "expansion",
    ]
    assert (labels[0][1], labels[2][1]) == (".200", ".100")
    assert [one.seeds for one in question.wanted] == [(0, 1, 2), (0,)]
    for row in range(0, 4, 2):
        difference = labels[row + 1][1]
        assert isinstance(difference, Wanted)
        assert f"{difference.means[1]:.3f}".lstrip("0") == labels[row][1]


def test_side_of_a_plain_ranking_is_stored_as_before() -> None:
    side = Side(label="crossx", representation="", eval_ids=("a",))
    assert side.model_dump() == {"label": "crossx", "representation": "", "eval_ids": ("a",)}
    again = side.model_copy(update={"reranker": "diffusion"})
    assert Side.model_validate(again.model_dump()) == again
    assert again.key != side.key


def test_line_has_values_of_a_reranking_where_there_is_one() -> None:
    records = [reranked(synthetic_record(seed=0), 0.7), synthetic_record(seed=1)]
    (line,) = lines(records)
    assert line.values("map@all", "", "diffusion:k=20") == [0.7]
    assert line.values("map@all", "posterior", "diffusion:k=20") == [0.7]
    assert len(line.values("map@all")) == 2


def with_version(record: Record, version: int) -> Record:
    (label, one), *_ = reranked(record, 0.6).reranked.items()
    info = one.reranker.model_copy(update={"version": version})
    return record.model_copy(
        update={"reranked": {label: one.model_copy(update={"reranker": info})}}
    )
