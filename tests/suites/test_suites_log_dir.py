"""`--log-dir` in suites: every executor logs every run, and no identity knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest
from bench import Bench
from plugin_text import method_text
from suite_bench import WriteSuite, suite

from dfbench.planning.plan import Plan
from dfbench.plugins.sources import PluginSources
from dfbench.process.supervision import Supervision
from dfbench.records.state import RunState
from dfbench.reporting import event_log
from dfbench.request import Limits
from dfbench.suites.executors.parcel import pack, unpack
from dfbench.suites.executors.ray import RayExecutor
from dfbench.suites.executors.slurm import Order, TaskJob
from dfbench.suites.executors.task import Task, TaskResult
from dfbench.suites.schedule import TaskGraph, task_graph
from dfbench.suites.suite import open_suite
from dfbench.version import __version__

Logged = list[tuple[Path, Path]]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """The folders of the logs that are begun, each with that of its run."""
    found: Logged = []

    def begun(target: Path, run: Path) -> nullcontext[None]:
        found.append((target, run))
        return nullcontext()

    monkeypatch.setattr(event_log, "EventLog", begun)
    monkeypatch.setattr(event_log, "find_spec", lambda _: object())
    return found


def _graph(bench: Bench, write_suite: WriteSuite, log_dir: Path | None) -> TaskGraph:
    """Two teachers and the run of a method that a file offers."""
    folders = {name: bench.place / name for name in ("results", "runs", "cache")}
    plugins = PluginSources(files=(bench.plugin(method_text("plain"), "plainly"),))
    given = {**folders, "log_dir": log_dir}
    return task_graph(open_suite(write_suite('["plain"]'), given, plugins).items())


def test_runs_on_this_machine_are_logged_each_in_the_folder(
    quick_bench: Bench, write_suite: WriteSuite, logged: Logged
) -> None:
    file, target = write_suite('["classifier-only", "classifier-logits"]'), quick_bench.place / "tb"
    done = suite(quick_bench, "run", file, "--log-dir", str(target))
    assert done.status == 0, done.err
    assert [one for one, _ in logged] == [target, target]
    assert sorted(run.name.split("-s0")[0] for _, run in logged) == [
        "classifier-logits",
        "classifier-only",
    ]
    assert f"TensorBoard events: {target}" in done.err
    again = suite(quick_bench, "run", file)
    assert (again.status, len(logged)) == (0, 2)


@pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")
def test_job_of_slurm_logs_its_run_and_no_network(
    quick_bench: Bench, write_suite: WriteSuite, logged: Logged
) -> None:
    target = quick_bench.place / "tb"
    graph = _graph(quick_bench, write_suite, target)
    for task in graph.tasks.values():
        order = Order(version=__version__, task=task, limits=Limits())
        answer = TaskResult.model_validate_json(TaskJob(order.model_dump_json())())
        assert answer.done, answer.state.reason
    (plan,) = graph.plans.values()
    assert logged == [(target, plan.folder)]


class _NoCluster(RayExecutor):
    """A cluster that answers at once."""

    def _remote(self, task: Task, plan: Plan, begun: Mapping[str, Path]) -> TaskResult:
        del task, plan, begun
        return TaskResult(state=RunState(status="failed", reason="no cluster"))


def test_run_on_ray_is_logged_at_home_from_what_the_worker_sends(
    quick_bench: Bench, write_suite: WriteSuite, logged: Logged
) -> None:
    target = quick_bench.place / "tb"
    graph = _graph(quick_bench, write_suite, target)
    executor = _NoCluster(graph.plans, 1, 0.0, Supervision())
    run = next(task for task in graph.tasks.values() if task.network is None)
    assert executor.submit(run).result().state.reason == "no cluster"
    executor.close()
    (plan,) = graph.plans.values()
    assert logged == [(target, plan.folder)]
    _, there = unpack(pack(run, plan, Supervision()), quick_bench.place / "worker")
    assert there.session.request.places.log_dir is None


def test_identities_do_not_depend_on_the_log(quick_bench: Bench, write_suite: WriteSuite) -> None:
    plain = _graph(quick_bench, write_suite, None)
    with_log = _graph(quick_bench, write_suite, quick_bench.place / "tb")
    assert [*plain.tasks] == [*with_log.tasks]
    assert [*plain.plans] == [*with_log.plans]


def test_a_file_in_place_of_the_folder_is_refused_before_any_run(
    quick_bench: Bench, write_suite: WriteSuite, logged: Logged
) -> None:
    (quick_bench.place / "tb").touch()
    file = write_suite('["classifier-only"]')
    assert suite(quick_bench, "run", file, "--log-dir", str(quick_bench.place / "tb")).status == 2
    refused = suite(quick_bench, "run", file, "--log-dir", str(quick_bench.place / "tb" / "in"))
    assert "tb" in refused.refused()
    assert logged == []
    assert not quick_bench.results.exists()


@pytest.mark.filterwarnings("default")  # those of tensorboard
def test_events_of_a_suite_hold_the_curves_of_its_run(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    target = quick_bench.place / "tb"
    done = suite(quick_bench, "run", write_suite('["alternative-data"]'), "--log-dir", str(target))
    assert done.status == 0, done.err
    (folder,) = target.iterdir()
    found = loading.EventAccumulator(str(folder))
    found.Reload()
    assert found.Tags()["scalars"]
