"""`rerank` in a suite: added to finished runs without a fit, and retried where it failed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from bench import Bench
from suite_bench import WriteSuite, statuses, suite

from dfbench.planning.plan import Plan
from dfbench.plugins.sources import PluginSources
from dfbench.process.supervision import Supervision
from dfbench.records.store import ResultStore
from dfbench.reporting.run_folders import RunFolders
from dfbench.suites.executors.parcel import do, given_files, pack
from dfbench.suites.executors.ray import RayExecutor, _home, _networks
from dfbench.suites.executors.task import Task, TaskResult
from dfbench.suites.schedule import TaskGraph, task_graph
from dfbench.suites.suite import open_suite


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


RERANKERS = """
import dfbench


@dfbench.hookimpl
def dfbench_rerankers():
    return [dfbench.RerankerSpec(name, name, f"rerankers:{name.title()}") for name in NAMES]


NAMES = ("mine", "failing")


class Mine(dfbench.Reranker):
    name, title, definition = "mine", "Mine", "inner product"

    def prepare(self, gallery, similarity):
        self.gallery = gallery

    def scores(self, queries):
        return queries @ self.gallery.T


class Failing(Mine):
    name = "failing"

    def scores(self, queries):
        raise ValueError("not today")
"""


@pytest.fixture
def graph(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TaskGraph]:
    """Makes the tasks of a suite with re-rankings, by the names of the re-rankers."""
    place = quick_bench.place
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "of-the-worker"))
    (place / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place / "tmp"))
    folders = {name: place / name for name in ("results", "runs")} | {"cache": quick_bench.cache}
    plugin = quick_bench.plugin(RERANKERS, "rerankers")

    def make(*names: str) -> TaskGraph:
        file = write_suite('["classifier-only"]', more=f"rerank = {list(names)}")
        return task_graph(open_suite(file, folders, PluginSources(files=(plugin,))).items())

    return make


class OfCluster(RayExecutor):
    """Sends parcels to this process instead of a cluster."""

    def _remote(self, task: Task, plan: Plan, begun: Mapping[str, Path]) -> TaskResult:
        files = {**given_files(task.request), **_networks(task, plan), **begun}
        parcel = pack(task, plan, Supervision()).model_dump_json()
        content, left = do(parcel, list(files), *(file.read_bytes() for file in files.values()))
        for name, data in left.items():
            target = _home(plan, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return TaskResult.model_validate_json(content)


def carried_out(graph: TaskGraph) -> TaskResult:
    """The last task of a graph, after the others, by way of a cluster."""
    executor = OfCluster(graph.plans, 1, 0.0, Supervision())
    for key in graph.tasks:
        result = executor.submit(graph.tasks[key]).result()
    executor.close()
    return result


def test_cluster_reranks_with_built_in_and_own_rerankers(
    quick_bench: Bench, graph: Callable[..., TaskGraph]
) -> None:
    result = carried_out(graph("query-expansion:k=3", "mine"))
    assert result.done, result.state.reason
    (record,) = ResultStore(quick_bench.results)
    assert list(record.reranked) == ["query-expansion:k=3", "mine"]
    values = RunFolders(quick_bench.runs).values(record, "map@all", "", "mine")
    assert len(values) == record.data.queries


def test_finished_run_of_a_cluster_is_reranked_where_its_embeddings_are(
    quick_bench: Bench, graph: Callable[..., TaskGraph]
) -> None:
    assert carried_out(graph()).done
    (plain,) = ResultStore(quick_bench.results)
    assert plain.reranked == {}
    assert carried_out(graph("mine")).done
    (record,) = ResultStore(quick_bench.results)
    assert list(record.reranked) == ["mine"]
    assert record.model_copy(update={"reranked": {}}) == plain


def test_failing_reranker_of_a_cluster_loses_neither_the_fit_nor_other_scores(
    quick_bench: Bench, graph: Callable[..., TaskGraph]
) -> None:
    for _ in range(2):  # on the cluster, then, since the run is finished, here
        result = carried_out(graph("failing", "mine"))
        assert not result.done
        assert "re-ranker 'failing' of plugin 'rerankers'" in (result.state.reason or "")
        assert "not today" in (result.state.reason or "")
        (record,) = ResultStore(quick_bench.results)
        assert list(record.reranked) == ["mine"]
        assert result.record == record
