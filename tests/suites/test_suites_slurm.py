"""`dfbench suite run --executor slurm`: one job a task, in the folders of this machine."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bench import Bench
from plugin_text import method_text
from suite_bench import WriteSuite, digests, ended, reasons, statuses, suite

from dfbench.errors import InvalidInput, UnknownName
from dfbench.planning.plan import Plan
from dfbench.plugins.sources import PluginSources
from dfbench.records.state import RunState, leave_failure, read_state, write_state
from dfbench.request import Limits
from dfbench.suites.executors import jobs
from dfbench.suites.executors.jobs import PARAMETERS, SlurmChoice, job_executor
from dfbench.suites.executors.slurm import Order, TaskJob
from dfbench.suites.executors.task import Task, TaskResult
from dfbench.suites.schedule import TaskGraph, task_graph
from dfbench.suites.suite import open_suite
from dfbench.version import __version__

with_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None,
    reason="submitit is not installed (extra: slurm)",
)
LOCAL = """
from dfbench.suites.executors import jobs
from submitit import Job
jobs.CLUSTER = "local"
Job._results_timeout_s = 1
"""
"""Jobs are processes of this machine, and a result that is missing is soon given up."""
TOOLS = {
    "sbatch": """SLURM_JOB_ID=$$ setsid sh "$1" >/dev/null 2>&1 &
echo $! > {place}/$$
echo "Submitted batch job $$"
""",
    "srun": """errors=$(echo "$5" | sed "s/%j/$SLURM_JOB_ID/; s/%t/0/")
shift 5
exec "$@" 2> "$errors"
""",
    "sacct": """shift 3
echo "JobID|State|NodeList"
while [ $# -gt 0 ]; do
    state=NODE_FAIL
    kill -0 "$(cat {place}/$2)" 2>/dev/null && state=RUNNING
    echo "$2|$state|here"
    shift 2
done
""",
    "scancel": """kill -KILL -- "-$(cat {place}/$1)"
""",
}
"""A cluster of one node, as far as submitit can tell."""
SLURM = ("--executor", "slurm", "--slurm", "time=10")


@pytest.fixture
def graph(quick_bench: Bench, write_suite: WriteSuite) -> TaskGraph:
    """Two teachers and the run of a method that a file offers."""
    folders = {name: quick_bench.place / name for name in ("results", "runs", "cache")}
    plugins = PluginSources(files=(quick_bench.plugin(method_text("plain"), "plainly"),))
    return task_graph(open_suite(write_suite('["plain"]'), folders, plugins).items())


def _result(task: Task, version: str = __version__) -> TaskResult:
    order = Order(version=version, task=task, limits=Limits())
    return TaskResult.model_validate_json(TaskJob(order.model_dump_json())())


def _planned(device: str = "cpu", devices: int = 1, threads: int = 1) -> Plan:
    request = SimpleNamespace(devices=devices)
    session = SimpleNamespace(device=device, threads=threads, request=request)
    return cast(Plan, SimpleNamespace(session=session))


def _until(mark: Path, process: Any) -> None:
    deadline = time.monotonic() + 240
    while not mark.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


@with_submitit
def test_job_plans_its_task_again_and_leaves_a_whole_run(
    graph: TaskGraph, quick_bench: Bench
) -> None:
    for task in graph.tasks.values():
        result = _result(task)
        assert result.done, result.state.reason
    assert result.record is not None
    assert [result.record.eval_id] == [*graph.plans]
    assert len(list(quick_bench.results.rglob("*.json"))) == 1
    assert len(list(quick_bench.runs.rglob("encoders.safetensors"))) == 1


@with_submitit
def test_job_that_would_be_another_run_is_refused(graph: TaskGraph, quick_bench: Bench) -> None:
    task = [*graph.tasks.values()][-1]
    other = _result(task.model_copy(update={"eval_id": "0" * 64})).state
    assert other.status == "failed"
    assert "differs from the one that was planned" in (other.reason or "")
    older = _result(task, version="0.0.1").state
    assert "but 0.0.1 where the suite was started" in (older.reason or "")
    gone = task.model_copy(
        update={"label": "gone", "request": task.request.model_copy(update={"method": "gone"})}
    )
    assert "unknown method 'gone'" in (_result(gone).state.reason or "")
    assert not quick_bench.results.exists()


@with_submitit
def test_job_out_of_time_for_good_is_a_timeout(
    graph: TaskGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    from submitit.core.utils import UncompletedJobError

    def interrupted(*_: Any, **__: Any) -> TaskResult:
        raise UncompletedJobError("Job not requeued because: timed-out too many times.")

    monkeypatch.setattr("dfbench.suites.executors.slurm.execute_here", interrupted)
    state = _result([*graph.tasks.values()][-1]).state
    assert state.status == "timeout"
    assert "timed-out too many times" in (state.reason or "")
    assert "--slurm time=MINUTES" in (state.reason or "")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("partion=gpu", "did you mean 'partition'?"),
        ("slurm_partition=gpu", "did you mean 'partition'?"),
        ("acount=me", "did you mean 'account'?"),
        ("mail-user=me", "did you mean 'mail_user'?"),
        ("timeout_min=3", "allowed: account, "),
        ("nodes=2", "allowed: account, "),
        ("time=2h", "a whole number of minutes from 1"),
        ("time=0", "a whole number of minutes from 1"),
        ("time=-5", "a whole number of minutes from 1"),
        ("max_num_timeout=many", "a whole number from 1"),
        ("qos=", "allowed: --slurm qos=VALUE"),
        ("partition", "allowed: --slurm KEY=VALUE"),
        ("cpus_per_task=4", "allowed: --threads 4"),
        ("gpus_per_node=2", "allowed: --devices 2"),
    ],
)
def test_wrong_parameter_is_refused_before_anything_is_planned(
    bench: Bench, write_suite: WriteSuite, option: str, said: str
) -> None:
    file = write_suite('["classifier-posterior"]')
    line = suite(bench, "run", file, "--executor", "slurm", "--slurm", option).refused()
    assert said in line
    assert option.split("=")[0] in line
    assert not bench.runs.exists()


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_parameters_of_slurm_without_it_are_refused(
    bench: Bench, write_suite: WriteSuite, executor: str
) -> None:
    options = ("--executor", executor, "--slurm", "partition=gpu")
    line = suite(bench, "run", write_suite('["classifier-posterior"]'), *options).refused()
    assert "allowed: --executor slurm" in line


def test_job_without_a_time_limit_is_refused(quick_bench: Bench, write_suite: WriteSuite) -> None:
    file = write_suite('["classifier-posterior"]')
    line = suite(quick_bench, "run", file, "--executor", "slurm", "--dry-run").refused()
    assert "--slurm time=MINUTES" in line
    assert "--timeout TIME" in line


def test_missing_submitit_is_told_with_its_remedy(
    bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "find_spec", lambda _: None)
    line = suite(bench, "run", write_suite('["classifier-posterior"]'), *SLURM).refused()
    assert "pip install 'dfbench-sbir[slurm]'" in line


def test_dry_run_on_a_cluster_of_ray_needs_ray(
    bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dfbench.suites.executors.cluster.find_spec", lambda _: None)
    options = ("--executor", "ray", "--address", "host:6379", "--dry-run")
    line = suite(bench, "run", write_suite('["classifier-posterior"]'), *options).refused()
    assert "pip install 'dfbench-sbir[ray]'" in line


def test_machine_that_is_no_login_node_is_told(
    bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "find_spec", lambda _: True)
    monkeypatch.setenv("PATH", str(bench.place))
    line = suite(bench, "run", write_suite('["classifier-posterior"]'), *SLURM).refused()
    assert "needs sbatch, srun, sacct of Slurm" in line
    assert "login node" in line


def test_job_asks_for_the_resources_of_its_run() -> None:
    limits = Limits(timeout=7200.0, memory_limit=6.0)
    asked = SlurmChoice({"partition": "gpu"}).resources(_planned("cuda", 2, 8), limits)
    assert asked == {
        "cpus_per_task": 8,
        "gpus_per_node": 2,
        "time": 135,
        "mem": "8192M",
        "partition": "gpu",
    }


def test_parameters_override_what_follows_from_limits() -> None:
    limits = Limits(timeout=60.0, memory_limit=6.0)
    given = {"time": "30", "mem_per_cpu": "4G", "gres": "gpu:a100:1"}
    asked = SlurmChoice(given).resources(_planned("cuda"), limits)
    assert asked == {"cpus_per_task": 1, "time": 30, "mem_per_cpu": "4G", "gres": "gpu:a100:1"}


def test_parameters_are_checked_for_python_too() -> None:
    with pytest.raises(UnknownName, match="partition"):
        SlurmChoice({"partitions": "gpu"})
    with pytest.raises(InvalidInput, match="from 1"):
        SlurmChoice({"signal_delay_s": "1.5"})


@with_submitit
def test_every_parameter_reaches_the_batch_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("srun", "sbatch"):
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    given = dict.fromkeys(PARAMETERS, "7") | {"exclusive": "true"}
    asked = SlurmChoice(given).resources(_planned(threads=3), Limits())
    executor = job_executor(tmp_path / "job", "dfbench crossx on shapes, seed 0", asked)
    inner = executor._executor
    script = inner._make_submission_file_text("run", "1")
    assert inner.max_num_timeout == 7
    assert "#SBATCH --job-name='dfbench crossx on shapes, seed 0'" in script
    assert "#SBATCH --time=7\n" in script
    assert "#SBATCH --cpus-per-task=3\n" in script
    assert "#SBATCH --exclusive\n" in script
    assert "--signal=USR2@7" in script
    assert f"{script}\n".count("\n7\n") == 2, "setup and teardown"
    for key in set(PARAMETERS) - {"max_num_timeout", "signal_delay_s", "setup", "teardown"}:
        assert key == "srun_args" or f"#SBATCH --{key.replace('_', '-')}" in script


@pytest.mark.parametrize(
    ("options", "resources"),
    [
        ((), {"cpus": 1, "gpus": 0}),
        (("--threads", "2", "--jobs", "2"), {"cpus": 2, "gpus": 0}),
        (("--executor", "ray"), {"cpus": 1, "gpus": 0.0}),
        (
            ("--executor", "slurm", "--timeout", "1h", "--slurm", "qos=low"),
            {"cpus_per_task": 1, "time": 75, "qos": "low"},
        ),
        (
            (*SLURM, "--device", "cuda", "--devices", "2", "--memory-limit", "4"),
            {"cpus_per_task": 1, "gpus_per_node": 2, "mem": "6144M", "time": 10},
        ),
    ],
)
def test_dry_run_prints_each_task_with_its_resources_and_starts_nothing(
    quick_bench: Bench, write_suite: WriteSuite, options: tuple[str, ...], resources: Any
) -> None:
    file = write_suite('["classifier-posterior"]')
    options = (*options, "--cache", str(quick_bench.place / "cache"))  # without teachers
    dry = suite(quick_bench, "run", file, *options, "--dry-run", "--format", "json")
    assert dry.status == 0, dry.err
    assert [job["resources"] for job in dry.json] == [resources] * 3
    titles = [job["task"].split(" on ")[0] for job in dry.json]
    assert titles == ["photo teacher", "sketch teacher", "classifier-posterior"]
    text = suite(quick_bench, "run", file, *options, "--dry-run")
    assert len(text.out.splitlines()) == 3
    assert "nothing was started" in text.err
    assert not quick_bench.runs.exists()
    assert not list(quick_bench.place.rglob("*.safetensors"))


def test_plan_for_a_gpu_is_made_where_there_is_none(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = write_suite('["classifier-posterior"]')
    identities = []
    for verb in ("plan", "status"):
        shown = suite(quick_bench, verb, file, "--device", "cuda", "--format", "json")
        assert shown.status == 0, shown.err
        identities.append(shown.json["runs"][0]["eval_id"])
    here = suite(quick_bench, "plan", file, "--format", "json").json["runs"][0]["eval_id"]
    assert len({*identities, here}) == 2
    refused = suite(quick_bench, "run", file, "--device", "cuda", "--dry-run").refused()
    assert "torch sees no CUDA device" in refused


def test_failure_that_no_job_stored_counts_attempts_and_keeps_what_was_done(tmp_path: Path) -> None:
    write_state(tmp_path, RunState(status="running", attempts=3))
    leave_failure(tmp_path, RunState(status="failed", reason="job 7 ended"), None)
    stored = read_state(tmp_path)
    assert stored is not None
    assert (stored.status, stored.reason, stored.attempts) == ("failed", "job 7 ended", 3)
    assert not stored.interrupted


@with_submitit
@pytest.mark.slow
def test_jobs_give_the_records_of_this_machine_and_a_lost_one_is_a_failure(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    file = write_suite('["doomed", "failing", "taker"]')
    (bench.place / "armed").touch()
    finished = ended(start(file, *troupe, *SLURM, first=LOCAL))
    assert finished.status == 1, finished.err
    assert "Traceback" not in finished.err
    assert statuses(finished) == {
        ("doomed", 0): "failed",
        ("failing", 0): "failed",
        ("maker", 0): "done",
        ("taker", 0): "done",
    }
    why = reasons(finished.json)
    assert "ended without a result" in why["doomed"]
    assert "fit() raised ValueError: not today" in why["failing"]
    left = {folder.name[:8] for folder in (bench.cache / "slurm").iterdir()}
    runs = finished.json["runs"]
    kept = {run["method"] for run in runs if run["eval_id"][:8] in left}
    assert kept == {"doomed"}, "the files of lost jobs, and of no others, are kept"
    again = ended(start(file, *troupe, *SLURM, "--retry", "failed", first=LOCAL))
    assert statuses(again)["doomed", 0] == "done"
    elsewhere = ("--results", str(bench.place / "r2"), "--runs", str(bench.place / "x2"))
    here = ended(start(file, *troupe, *elsewhere))
    assert digests(again.json) == digests(here.json)


@with_submitit
@pytest.mark.slow
def test_preempted_job_is_requeued_and_resumes(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    process = start(write_suite('["paused"]'), *troupe, *SLURM, first=LOCAL)
    _until(bench.place / "paused", process)
    fit, job = map(int, (bench.place / "paused").read_text().split())
    # As Slurm does: every process of the job is signalled.
    for number in (signal.SIGTERM, signal.SIGUSR2):
        for one in (fit, job):
            os.kill(one, number)
    finished = ended(process)
    assert finished.status == 0, finished.err
    assert statuses(finished) == {("paused", 0): "done"}
    assert [run["attempts"] for run in finished.json["runs"]] == [2]


@with_submitit
@pytest.mark.slow
def test_ctrl_c_cancels_the_jobs(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    file = write_suite('["hanging"]')
    process = start(file, *troupe, *SLURM, first=LOCAL)
    _until(bench.place / "hanging", process)
    process.send_signal(signal.SIGINT)
    finished = ended(process)
    assert finished.status == 130, finished.err
    # Standard error also has the traceback of the process that stands in for Slurm.
    status = suite(bench, "status", file, *troupe, "--format", "json")
    assert [run["missing"] for run in status.json["runs"]] == [True]
    assert "interrupted" in reasons(status.json)["hanging"]


@with_submitit
@pytest.mark.slow
def test_dead_node_is_a_failure_with_the_state_of_slurm_and_ctrl_c_is_none(
    bench: Bench, write_suite: WriteSuite, troupe: tuple[str, str], start: Any
) -> None:
    tools = bench.place / "tools"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text("#!/bin/sh\n" + text.replace("{place}", str(tools)))
        (tools / name).chmod(0o755)
    (bench.place / "armed").touch()
    first = f"""
import os
from submitit import Job
Job._results_timeout_s = 1
os.environ["PATH"] = "{tools}:" + os.environ["PATH"]
"""
    file = write_suite('["doomed", "hanging", "maker"]')
    process = start(file, *troupe, *SLURM, first=first)
    for mark in ("struck", "hanging"):
        _until(bench.place / mark, process)
    deadline = time.monotonic() + 240
    while True:
        status = suite(bench, "status", file, *troupe, "--format", "json")
        dead = "NODE_FAIL" in reasons(status.json).get("doomed", "")
        if dead and statuses(status)["maker", 0] == "done":
            break
        assert time.monotonic() < deadline
        time.sleep(1)
    process.send_signal(signal.SIGINT)
    finished = ended(process)
    assert finished.status == 130, finished.err
    assert "Traceback" not in finished.err
    status = suite(bench, "status", file, *troupe, "--format", "json")
    assert "(state: NODE_FAIL; log: " in reasons(status.json)["doomed"]
    assert "interrupted" in reasons(status.json)["hanging"]
    assert [run["missing"] for run in status.json["runs"]] == [False, True, False]
