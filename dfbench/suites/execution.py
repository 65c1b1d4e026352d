"""The missing runs of a suite: on this machine with shared cores, on Ray, or as jobs of Slurm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from dfbench.errors import InvalidInput
from dfbench.numerics import pin_numerics
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session
from dfbench.process.supervision import Supervision
from dfbench.request import Limits
from dfbench.suites.executors.cluster import Cluster, ClusterChoice, Share, connected
from dfbench.suites.executors.jobs import SlurmChoice
from dfbench.suites.executors.local import LocalExecutor, gpu_slots
from dfbench.suites.executors.ray import RayExecutor
from dfbench.suites.executors.slurm import SlurmExecutor
from dfbench.suites.executors.task import Executor
from dfbench.suites.planning import SuiteItem, SuitePlan, SuiteRun
from dfbench.suites.report import watched
from dfbench.suites.schedule import TaskGraph, drive, task_graph
from dfbench.system.console import note
from dfbench.system.machine import available_cores

_SLURM_JOBS = 64
"""Maximum number of jobs that wait or run at a time, if none is given."""


class Use(Protocol):
    """What is done with the tasks of a suite and the executor for them."""

    def __call__(self, graph: TaskGraph, executor: Executor, *, alone: bool) -> None:
        """`alone`: one run at a time shows its progress on the terminal."""


def execute_all(graph: TaskGraph, executor: Executor, *, alone: bool, fail_fast: bool) -> None:
    """Execute all tasks, and show their progress."""
    with watched(len(graph.tasks), alone=alone) as observer:
        drive(graph, executor, observer, fail_fast=fail_fast)


def _shared_threads(items: Sequence[SuiteItem], share_of_cores: int) -> list[SuiteItem]:
    """The items, each with its share of the cores; a requested number of threads is kept."""
    share = _Share(max(1, share_of_cores))
    return [
        item if item.run.request.threads else replace(item, run=share.of_item(item))
        for item in items
    ]


class _Share:
    """Plans with another number of threads; plans that share a session still do."""

    def __init__(self, threads: int) -> None:
        self._threads = {"threads": threads}
        self._sessions: dict[int, Session] = {}

    def of_item(self, item: SuiteItem) -> SuiteRun:
        run = item.run
        request = run.request.model_copy(update=self._threads)
        return replace(run, request=request, plan=self._of_plan(run.plan) if run.plan else None)

    def _of_plan(self, plan: Plan) -> Plan:
        source = self._of_plan(plan.source) if plan.source else None
        return replace(plan, session=self._of_session(plan.session), source=source)

    def _of_session(self, session: Session) -> Session:
        if id(session) not in self._sessions:
            request = session.request.model_copy(update=self._threads)
            self._sessions[id(session)] = replace(session, request=request)
        return self._sessions[id(session)]


def run_locally(
    plan: SuitePlan,
    chosen: Sequence[SuiteItem],
    limits: Limits,
    *,
    jobs: int | None,
    use: Use,
) -> None:
    """Do the chosen runs, `jobs` at a time: by default one, or as many as the GPUs suffice for.

    Concurrent runs share the cores unless a number of threads was requested, and write to logs in
    their folders. Raises `KeyboardInterrupt` when all processes have ended after Ctrl-C.
    """
    devices = max((item.run.request.devices for item in chosen), default=1)
    gpus = gpu_slots(plan.gpus, devices) if plan.device == "cuda" else []
    count = jobs or len(gpus) or 1
    slots = [gpus[number % len(gpus)] if gpus else {} for number in range(count)]
    shared = _shared_threads(chosen, available_cores() // count)
    graph = task_graph(shared)
    # Rankings run in this process, also concurrently.
    pin_numerics(max(1, available_cores() // count), seed=0)
    alone = count == 1 and sys.stderr.isatty()
    executor = LocalExecutor(graph.plans, slots, Supervision(limits), logged=not alone)
    use(graph, executor, alone=alone)


def run_on_ray(
    plan: SuitePlan,
    chosen: Sequence[SuiteItem],
    limits: Limits,
    *,
    choice: ClusterChoice,
    jobs: int | None,
    use: Use,
    connect: Callable[[str | None, int], AbstractContextManager[Cluster]] = connected,
) -> None:
    """Execute the chosen runs on a cluster, `jobs` at a time: by default as many as fit.

    A run takes as many CPUs as it has threads: the requested number, else with `jobs` its share of
    the cluster, else one. Raises `Unreachable` or `InvalidInput` before anything is started, and
    `KeyboardInterrupt` when all tasks have ended after Ctrl-C.
    """
    gpus = choice.gpus(plan.device, max((i.run.request.devices for i in chosen), default=1))
    asked = max((item.run.request.threads or 1 for item in chosen), default=1)
    with connect(choice.address, max(available_cores(), asked * (jobs or 1))) as cluster:
        share = min(cluster.cpus // jobs, cluster.node_cpus) if jobs else 1
        shared = _shared_threads(chosen, share)
        slots = _slots(cluster, shared, gpus, jobs)
        graph = task_graph(shared)
        executor = RayExecutor(graph.plans, slots, gpus, Supervision(limits))
        use(graph, executor, alone=False)


def run_on_slurm(
    plan: SuitePlan,
    chosen: Sequence[SuiteItem],
    limits: Limits,
    *,
    choice: SlurmChoice,
    jobs: int | None,
    use: Use,
) -> None:
    """Execute the chosen runs as jobs of a Slurm cluster, `jobs` at a time: by default many.

    A job takes as many CPUs as its run has threads, by default one. Raises `InvalidInput` before
    anything is submitted, and `KeyboardInterrupt` when all jobs have ended after Ctrl-C.
    """
    del plan
    graph = task_graph(_shared_threads(chosen, 1))
    slots = jobs or max(1, min(len(graph.tasks), _SLURM_JOBS))
    executor = SlurmExecutor(graph.plans, slots, choice, Supervision(limits))
    for task in graph.tasks.values():
        executor.takes(task)  # errors in the parameters are reported before anything is submitted
    use(graph, executor, alone=False)


def _slots(cluster: Cluster, items: Sequence[SuiteItem], gpus: float, jobs: int | None) -> int:
    """Number of runs to submit at a time; those that do not fit wait in Ray's queue."""
    share = Share(max(item.run.request.threads or 1 for item in items), gpus)
    capacity = cluster.capacity(share)
    need = f"a run takes {share.cpus} CPUs and {gpus:g} GPUs of one node; the nodes have {cluster}"
    if capacity == 0 and jobs is None:
        raise InvalidInput(
            f"{need}; nothing was started; try fewer --threads or a smaller --gpus-per-run, or "
            "give --jobs to wait until the cluster grows"
        )
    if capacity == 0:
        note(f"{need}; waiting for a node with enough resources")
    return jobs or capacity
