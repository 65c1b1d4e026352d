"""Executing the missing runs of a suite on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence

from dfbench.errors import InvalidInput
from dfbench.process.supervision import Supervision
from dfbench.request import Limits
from dfbench.suites.executors.cluster import Cluster, ClusterChoice, Share, connected
from dfbench.suites.executors.ray import RayExecutor
from dfbench.suites.inventory import SuiteItem
from dfbench.suites.local_run import shared_threads
from dfbench.suites.planning import SuitePlan
from dfbench.suites.report import watched
from dfbench.suites.schedule import drive, task_graph
from dfbench.system.console import note
from dfbench.system.machine import available_cores


def run_on_ray(
    plan: SuitePlan,
    chosen: Sequence[SuiteItem],
    limits: Limits,
    *,
    choice: ClusterChoice,
    jobs: int | None,
    fail_fast: bool,
) -> None:
    """Execute the chosen runs on a cluster, `jobs` at a time: by default as many as fit.

    A run takes as many CPUs as it has threads: the requested number, else with `jobs` its share of
    the cluster, else one. Raises `Unreachable` or `InvalidInput` before anything is started, and
    `KeyboardInterrupt` when all tasks have ended after Ctrl-C.
    """
    gpus = choice.gpus(plan.device, max((i.run.request.devices for i in chosen), default=1))
    asked = max((item.run.request.threads or 1 for item in chosen), default=1)
    with connected(choice.address, max(available_cores(), asked * (jobs or 1))) as cluster:
        share = min(cluster.cpus // jobs, cluster.node_cpus) if jobs else 1
        shared = shared_threads(chosen, share)
        slots = _slots(cluster, shared, gpus, jobs)
        graph = task_graph(shared)
        executor = RayExecutor(graph.plans, slots, gpus, Supervision(limits))
        with watched(len(graph.tasks), alone=False) as observer:
            drive(graph, executor, observer, fail_fast=fail_fast)


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
