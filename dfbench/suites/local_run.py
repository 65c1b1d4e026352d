"""Doing the missing runs of a suite on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from dfbench.cores import available_cores
from dfbench.runs.numerics import pin_numerics
from dfbench.runs.supervision import Supervision
from dfbench.suites.executors.local import LocalExecutor, gpu_slots
from dfbench.suites.graph import task_graph
from dfbench.suites.inventory import Item
from dfbench.suites.planning import SuitePlan
from dfbench.suites.progress import watched
from dfbench.suites.schedule import drive
from dfbench.suites.threads import shared_threads


@dataclass(frozen=True)
class Limits:
    """Limits of each run's process."""

    timeout: float | None
    """Seconds of wall time."""
    memory_gib: float | None

    @property
    def supervision(self) -> Supervision:
        """The limits as runs take them."""
        memory = None if self.memory_gib is None else round(self.memory_gib * 1024)
        return Supervision(timeout=self.timeout, memory_mib=memory)


def run_locally(
    plan: SuitePlan,
    chosen: Sequence[Item],
    limits: Limits,
    *,
    jobs: int | None,
    fail_fast: bool,
) -> None:
    """Do the chosen runs, `jobs` at a time: by default one, or one per GPU.

    Runs side by side share the cores unless a number of threads was asked for, and write to logs
    in their folders. Raises `KeyboardInterrupt` when all processes have ended after Ctrl-C.
    """
    gpus = gpu_slots(plan.gpus) if plan.device == "cuda" else []
    count = jobs or len(gpus) or 1
    slots = [gpus[number % len(gpus)] if gpus else {} for number in range(count)]
    shared = shared_threads(chosen, available_cores() // count)
    graph = task_graph(shared)
    # Rankings run in this process, side by side too.
    pin_numerics(max(1, available_cores() // count), seed=0)
    alone = count == 1 and sys.stderr.isatty()
    executor = LocalExecutor(graph.plans, slots, limits.supervision, logged=not alone)
    with watched(len(graph.tasks), alone=alone) as observer:
        drive(graph, executor, observer, fail_fast=fail_fast)
