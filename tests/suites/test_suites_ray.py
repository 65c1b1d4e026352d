"""`dfbench suite run --executor ray`: the same records as here, whatever happens to workers."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench import Bench, Finished
from suite_bench import WriteSuite, places, reasons, statuses, suite

from dfbench.records.store import ResultStore
from dfbench.suites.executors import cluster
from dfbench.suites.executors.cluster import Cluster, Share, Unreachable, connected

with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra: ray)"
)

TROUPE = """
# A maker of pairs, a taker of them, one whose worker is killed once, and one that fails.
import os
import signal
import time
from pathlib import Path

import torch
from torch import nn

from dfbench import Encoders, Method, MethodSpec, Need, hookimpl

MARKS = Path({marks!r})
NAMES = ("maker", "taker", "doomed", "failing", "hanging")


@hookimpl
def dfbench_methods():
    return [MethodSpec(name, name.title(), f"troupe:{{name.title()}}") for name in NAMES]


def encoders(seed):
    layer = nn.Linear(3 * 32 * 32, 8)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=random))
    encoder = nn.Sequential(nn.Flatten(), layer)
    return Encoders(encoder, encoder)


class Maker(Method):
    name, title, version = "maker", "Maker", 1

    def fit(self, setting):
        images = torch.full((4, 3, 32, 32), setting.seed, dtype=torch.uint8)
        setting.artefacts.save_pairs(images, images)
        return encoders(setting.seed)


class Taker(Method):
    name, title, version = "taker", "Taker", 1

    @classmethod
    def needs(cls, config):
        return frozenset({{Need.GENERATED_PAIRS}})

    @classmethod
    def pairs_of(cls, config):
        return "maker"

    def fit(self, setting):
        return encoders(100 + int(setting.generated_pairs().photos[0, 0, 0, 0]))


class Doomed(Method):
    name, title, version = "doomed", "Doomed", 1

    def fit(self, setting):
        armed = MARKS / "armed"
        if armed.exists():
            armed.rename(MARKS / "struck")
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return encoders(7 + setting.seed)


class Failing(Method):
    name, title, version = "failing", "Failing", 1

    def fit(self, setting):
        raise ValueError("not today")


class Hanging(Method):
    name, title, version = "hanging", "Hanging", 1

    def fit(self, setting):
        (MARKS / "hanging").touch()
        time.sleep(60)
"""


@pytest.fixture
def troupe(bench: Bench) -> tuple[str, str]:
    """The option that loads the methods."""
    return "--plugin", str(bench.plugin(TROUPE.format(marks=str(bench.place)), "troupe"))


@pytest.fixture
def start(bench: Bench, shell: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Begin `dfbench suite run` in a process and a session of its own."""

    def begin(file: Path, *extra: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from dfbench.cli import main; main()"]
        return subprocess.Popen(
            [*command, "suite", "run", str(file), *places(bench), *extra, "--format", "json"],
            env={**shell, "XDG_CACHE_HOME": str(bench.place / "of-workers")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin


def _ended(process: subprocess.Popen[str]) -> Finished:
    with process:
        out, err = process.communicate(timeout=500)
    return Finished(process.returncode, out, err)


def _digests(content: Any) -> dict[tuple[str, int], Any]:
    return {(run["method"], run["seed"]): run["digests"] for run in content["runs"]}


@with_ray
@pytest.mark.slow
def test_lost_worker_costs_nothing_and_a_fault_is_named(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    file = write_suite('["doomed", "failing"]')
    (bench.place / "armed").touch()
    finished = _ended(start(file, *troupe, "--executor", "ray", "--jobs", "2"))
    assert finished.status == 1, finished.err
    assert "Traceback" not in finished.err
    assert statuses(finished) == {("doomed", 0): "done", ("failing", 0): "failed"}
    assert "fit() raised ValueError: not today" in reasons(finished.json)["failing"]
    assert (bench.place / "struck").exists()
    assert len(list(bench.runs.rglob("encoders.safetensors"))) == 1
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    here = suite(bench, "run", file, *troupe, *elsewhere, "--only", "doomed", "--format", "json")
    digests = _digests(finished.json)["doomed", 0]
    assert digests is not None
    assert digests == _digests(here.json)["doomed", 0]


@with_ray
@pytest.mark.slow
def test_cluster_gives_the_records_of_this_machine(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    methods = '["taker", "maker", "doomed", "classifier-posterior", "alternative-data"]'
    file = write_suite(methods, "[0, 1, 2, 3]")
    cache = ("--cache", str(bench.place / "cache"))
    (bench.place / "armed").touch()
    cluster = _ended(start(file, *troupe, *cache, "--executor", "ray", "--jobs", "2"))
    assert cluster.status == 0, cluster.err
    assert (bench.place / "struck").exists()
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    own_cache = ("--cache", str(bench.place / "c2"))
    here = _ended(start(file, *troupe, *own_cache, *elsewhere, "--jobs", "2"))
    assert here.status == 0, here.err
    assert len(_digests(here.json)) == 20
    assert _digests(cluster.json) == _digests(here.json)
    trained = [{f.name for f in (bench.place / c / "teachers").glob("*")} for c in ("cache", "c2")]
    assert trained[0] == trained[1]


@with_ray
@pytest.mark.slow
def test_cluster_reranks_as_this_machine_does(
    bench: Bench, write_suite: WriteSuite, start: Any
) -> None:
    labels = ["query-expansion:k=3", "diffusion"]
    file = write_suite('["classifier-only"]', more=f"rerank = {labels}")
    cluster = _ended(start(file, "--executor", "ray", "--jobs", "1"))
    assert cluster.status == 0, cluster.err
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    here = _ended(start(file, *elsewhere))
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
    finished = _ended(process)
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


@pytest.mark.parametrize(
    ("share", "count"),
    [(Share(1, 0.0), 10), (Share(4, 0.0), 2), (Share(1, 0.1), 8), (Share(9, 0.0), 0)],
)
def test_runs_share_nodes_but_none_spans_two(share: Share, count: int) -> None:
    nodes = ({"CPU": 8.0, "GPU": 1.0}, {"CPU": 2.0})
    assert Cluster(nodes).capacity(share) == count


def test_tenths_of_a_gpu_add_up() -> None:
    assert Share(1, 0.1).times_in({"CPU": 64.0, "GPU": 1.0}) == 10
