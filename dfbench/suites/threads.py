"""Sharing the processor's cores among runs side by side; no part of a run's identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dfbench.runs.plan import Plan
from dfbench.runs.session import Session
from dfbench.suites.inventory import Item
from dfbench.suites.planning import SuiteRun


def shared_threads(items: Sequence[Item], share_of_cores: int) -> list[Item]:
    """The items, each with its share of the cores; a number of threads that was asked for stays."""
    share = _Share(max(1, share_of_cores))
    return [
        item if item.run.request.threads else replace(item, run=share.of_item(item))
        for item in items
    ]


class _Share:
    """Plans with another number of threads; those of one session still share one."""

    def __init__(self, threads: int) -> None:
        self._threads = {"threads": threads}
        self._sessions: dict[int, Session] = {}

    def of_item(self, item: Item) -> SuiteRun:
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
