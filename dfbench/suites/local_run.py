"""Executing the missing runs of a suite on this machine, with shared CPU cores."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from dfbench.numerics import pin_numerics
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session
from dfbench.process.supervision import Supervision
from dfbench.request import Limits
from dfbench.suites.executors.local import LocalExecutor, gpu_slots
from dfbench.suites.inventory import SuiteItem
from dfbench.suites.planning import SuitePlan, SuiteRun
from dfbench.suites.report import watched
from dfbench.suites.schedule import drive, task_graph
from dfbench.system.machine import available_cores


def shared_threads(items: Sequence[SuiteItem], share_of_cores: int) -> list[SuiteItem]:
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
    fail_fast: bool,
) -> None:
    """Do the chosen runs, `jobs` at a time: by default one, or as many as the GPUs suffice for.

    Concurrent runs share the cores unless a number of threads was requested, and write to logs in
    their folders. Raises `KeyboardInterrupt` when all processes have ended after Ctrl-C.
    """
    devices = max((item.run.request.devices for item in chosen), default=1)
    gpus = gpu_slots(plan.gpus, devices) if plan.device == "cuda" else []
    count = jobs or len(gpus) or 1
    slots = [gpus[number % len(gpus)] if gpus else {} for number in range(count)]
    shared = shared_threads(chosen, available_cores() // count)
    graph = task_graph(shared)
    # Rankings run in this process, also concurrently.
    pin_numerics(max(1, available_cores() // count), seed=0)
    alone = count == 1 and sys.stderr.isatty()
    executor = LocalExecutor(graph.plans, slots, Supervision(limits), logged=not alone)
    with watched(len(graph.tasks), alone=alone) as observer:
        drive(graph, executor, observer, fail_fast=fail_fast)
