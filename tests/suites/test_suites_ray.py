"""`dfbench suite run --executor ray`: the same records as here, whatever happens to workers."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import time
from typing import Any

import pytest
from bench import Bench
from suite_bench import WriteSuite, digests, ended, reasons, statuses, suite

from dfbench.records.store import ResultStore
from dfbench.suites.executors import cluster
from dfbench.suites.executors.cluster import Cluster, Share, Unreachable, connected

with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra: ray)"
)


@with_ray
@pytest.mark.slow
def test_lost_worker_costs_nothing_and_a_fault_is_named(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    file = write_suite('["doomed", "failing"]')
    (bench.place / "armed").touch()
    finished = ended(start(file, *troupe, "--executor", "ray", "--jobs", "2"))
    assert finished.status == 1, finished.err
    assert "Traceback" not in finished.err
    assert statuses(finished) == {("doomed", 0): "done", ("failing", 0): "failed"}
    assert "fit() raised ValueError: not today" in reasons(finished.json)["failing"]
    assert (bench.place / "struck").exists()
    assert len(list(bench.runs.rglob("encoders.safetensors"))) == 1
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    here = suite(bench, "run", file, *troupe, *elsewhere, "--only", "doomed", "--format", "json")
    first = digests(finished.json)["doomed", 0]
    assert first is not None
    assert first == digests(here.json)["doomed", 0]


@with_ray
@pytest.mark.slow
def test_cluster_gives_the_records_of_this_machine(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    methods = '["taker", "maker", "doomed", "classifier-posterior", "alternative-data"]'
    file = write_suite(methods, "[0, 1, 2, 3]")
    cache = ("--cache", str(bench.place / "cache"))
    (bench.place / "armed").touch()
    cluster = ended(start(file, *troupe, *cache, "--executor", "ray", "--jobs", "2"))
    assert cluster.status == 0, cluster.err
    assert (bench.place / "struck").exists()
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    own_cache = ("--cache", str(bench.place / "c2"))
    here = ended(start(file, *troupe, *own_cache, *elsewhere, "--jobs", "2"))
    assert here.status == 0, here.err
    assert len(digests(here.json)) == 20
    assert digests(cluster.json) == digests(here.json)
    trained = [{f.name for f in (bench.place / c / "teachers").glob("*")} for c in ("cache", "c2")]
    assert trained[0] == trained[1]


@with_ray
@pytest.mark.slow
def test_cluster_reranks_as_this_machine_does(
    bench: Bench, write_suite: WriteSuite, start: Any
) -> None:
    labels = ["query-expansion:k=3", "diffusion"]
    file = write_suite('["classifier-only"]', more=f"rerank = {labels}")
    cluster = ended(start(file, "--executor", "ray", "--jobs", "1"))
    assert cluster.status == 0, cluster.err
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    here = ended(start(file, *elsewhere))
    assert here.status == 0, here.err
    found = [
        record.reranked
        for results in (bench.results, bench.place / "r2")
        for record in ResultStore(results)
    ]
    assert [list(one) for one in found] == [labels, labels]
    assert found[0]["diffusion"].metrics == found[1]["diffusion"].metrics


@with_ray
@pytest.mark.slow
def test_ctrl_c_ends_the_tasks_of_the_cluster(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    file = write_suite('["hanging"]')
    process = start(file, *troupe, "--executor", "ray")
    deadline = time.monotonic() + 240
    while not (bench.place / "hanging").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    finished = ended(process)
    assert finished.status == 130, finished.err
    assert "Traceback" not in finished.err
    status = suite(bench, "status", file, *troupe, "--format", "json")
    assert [run["missing"] for run in status.json["runs"]] == [True]
    assert "interrupted" in reasons(status.json)["hanging"]


@with_ray
def test_unreachable_cluster_is_told_and_nothing_is_started(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        options = ("--executor", "ray", "--address", address)
        line = suite(
            quick_bench, "run", write_suite('["classifier-posterior"]'), *options
        ).refused()
    assert f"no Ray cluster at --address {address!r}" in line
    assert "nothing was started" in line
    assert not quick_bench.runs.exists()


@with_ray
def test_server_that_is_no_cluster_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match="no answer within 1 s"), connected(address, 1):
            pass


def test_missing_ray_is_told_with_its_remedy(
    bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    file = write_suite('["classifier-posterior"]')
    line = suite(bench, "run", file, "--executor", "ray").refused()
    assert "pip install 'dfbench-sbir[ray]'" in line


@pytest.mark.parametrize("option", [("--address", "host:6379"), ("--gpus-per-run", "0.5")])
def test_options_of_a_cluster_without_one_are_refused(
    bench: Bench, write_suite: WriteSuite, option: tuple[str, str]
) -> None:
    line = suite(bench, "run", write_suite('["classifier-posterior"]'), *option).refused()
    assert "allowed: --executor ray" in line
    assert "with --executor local" in line


@pytest.mark.parametrize(
    ("share", "count"),
    [(Share(1, 0.0), 10), (Share(4, 0.0), 2), (Share(1, 0.1), 8), (Share(9, 0.0), 0)],
)
def test_runs_share_nodes_but_none_spans_two(share: Share, count: int) -> None:
    nodes = ({"CPU": 8.0, "GPU": 1.0}, {"CPU": 2.0})
    assert Cluster(nodes).capacity(share) == count


def test_tenths_of_a_gpu_add_up() -> None:
    assert Share(1, 0.1).times_in({"CPU": 64.0, "GPU": 1.0}) == 10
