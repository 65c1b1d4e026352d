"""`rerank` in a suite: added to finished runs without a fit, and retried where it failed."""

from __future__ import annotations

import pytest
from bench import Bench
from suite_bench import WriteSuite, statuses, suite

from dfbench.records.store import ResultStore


def test_suite_adds_rerankings_to_finished_runs(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only"]')
    assert suite(quick_bench, "run", file).status == 0
    (record,) = ResultStore(quick_bench.results)
    file = write_suite('["classifier-only"]', more='rerank = ["query-expansion:k=3"]')
    planned = suite(quick_bench, "status", file, "--format", "json")
    assert statuses(planned) == {("classifier-only", 0): "planned"}
    assert planned.json["runs"][0]["reason"] == "re-rankings to do: query-expansion:k=3"
    assert suite(quick_bench, "run", file).status == 0
    (after,) = ResultStore(quick_bench.results)
    assert list(after.reranked) == ["query-expansion:k=3"]
    assert after.model_copy(update={"reranked": {}}) == record
    done = suite(quick_bench, "status", file, "--format", "json")
    assert statuses(done) == {("classifier-only", 0): "done"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('["difusion"]', "key rerank: unknown re-ranker 'difusion'; did you mean 'diffusion'?"),
        ('["diffusion:k=x"]', "key rerank: setting k='x' of re-ranker 'diffusion'"),
        ("3", "key rerank: 3; allowed: a text that is not empty, or a list of them"),
        ('[""]', "key rerank: ['']; allowed: a text"),
    ],
)
def test_wrong_reranker_of_a_suite_is_refused_with_its_line(
    value: str, told: str, quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only"]', more=f"rerank = {value}")
    line = suite(quick_bench, "plan", file).refused()
    assert f"suite.toml line 3, {told}" in line
