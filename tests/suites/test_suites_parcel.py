"""What travels to a worker is all that it needs, and what it leaves comes home."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from bench import Bench
from plugin_text import method_text
from suite_bench import WriteSuite

from dfbench.plugins.sources import PluginSources
from dfbench.process.supervision import Supervision
from dfbench.suites.executors.parcel import Parcel, do, given_files, pack
from dfbench.suites.executors.task import TaskResult
from dfbench.suites.schedule import TaskGraph, task_graph
from dfbench.suites.suite import open_suite


@pytest.fixture
def graph(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> TaskGraph:
    """Two teachers and the run of a method that a file offers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(quick_bench.place / "of-the-worker"))
    place = quick_bench.place
    (place / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place / "tmp"))
    folders = {name: place / name for name in ("results", "runs", "cache")}
    plugins = PluginSources(files=(quick_bench.plugin(method_text("plain"), "plainly"),))
    return task_graph(open_suite(write_suite('["plain"]'), folders, plugins).items())


def _parcel(graph: TaskGraph, key: str) -> Parcel:
    task = graph.tasks[key]
    return pack(task, graph.plans[task.eval_id], Supervision())


def _given(graph: TaskGraph) -> dict[str, bytes]:
    request = next(iter(graph.tasks.values())).request
    return {name: file.read_bytes() for name, file in given_files(request).items()}


def _done(parcel: Parcel, files: dict[str, bytes]) -> tuple[TaskResult, dict[str, bytes]]:
    content, left = do(parcel.model_dump_json(), list(files), *files.values())
    return TaskResult.model_validate_json(content), left


def test_worker_is_given_networks_and_leaves_a_whole_run(
    graph: TaskGraph, quick_bench: Bench
) -> None:
    files = _given(graph)
    *networks, run = graph.tasks
    for key in networks:
        result, left = _done(_parcel(graph, key), files)
        assert result.done, result.state.reason
        assert f"cache/teachers/{key}.safetensors" in left
        files |= left
    result, left = _done(_parcel(graph, run), files)
    assert result.done, result.state.reason
    assert result.record is not None
    assert result.record.eval_id == run
    folder = f"runs/{graph.plans[run].folder.relative_to(quick_bench.runs)}"
    assert {Path(name).name for name in left} >= {"encoders.safetensors", "per_query.npz"}
    assert f"{folder}/pictures/retrievals.png" in left
    assert all(name.startswith(folder) for name in left), "a network was trained twice"
    assert not quick_bench.runs.exists()


def test_given_files_travel_by_name_and_no_path_of_them_stays(graph: TaskGraph) -> None:
    parcel = _parcel(graph, next(iter(graph.plans)))
    assert list(_given(graph)) == ["given/0/plainly.py"]
    assert parcel.task.request.plugins.files == (Path("given/0/plainly.py"),)


def test_dataset_that_is_not_on_the_worker_is_named(graph: TaskGraph) -> None:
    parcel = _parcel(graph, next(iter(graph.plans)))
    data = parcel.task.request.data.model_copy(update={"name": "folder:/not/here"})
    request = parcel.task.request.model_copy(update={"data": data})
    elsewhere = parcel.model_copy(
        update={"task": parcel.task.model_copy(update={"request": request})}
    )
    result, left = _done(elsewhere, _given(graph))
    assert result.state.status == "failed"
    assert "folder:/not/here" in (result.state.reason or "")
    assert "under the same path on every node" in (result.state.reason or "")
    assert left == {}


def test_data_that_differ_on_the_worker_are_refused(graph: TaskGraph) -> None:
    parcel = _parcel(graph, next(iter(graph.plans)))
    data = parcel.task.request.data.model_copy(update={"classes": ("boat", "cup")})
    request = parcel.task.request.model_copy(update={"data": data})
    other = parcel.model_copy(update={"task": parcel.task.model_copy(update={"request": request})})
    result, _ = _done(other, _given(graph))
    assert "differs from the one that the run was planned for" in (result.state.reason or "")


def test_another_version_on_the_worker_is_refused(graph: TaskGraph) -> None:
    parcel = _parcel(graph, next(iter(graph.plans))).model_copy(update={"version": "0.0.1"})
    result, _ = _done(parcel, _given(graph))
    assert "but 0.0.1 where the suite was started" in (result.state.reason or "")
