"""Which tasks a suite still has, and which come before which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dfbench.runs.plan import Plan
from dfbench.runs.request import RunRequest
from dfbench.suites.inventory import Item, missing_networks
from dfbench.suites.planning import request_of
from dfbench.suites.tasks import Task


@dataclass(frozen=True)
class TaskGraph:
    """Tasks by identity, in the order of the suite, each with those that come before it."""

    tasks: dict[str, Task] = field(default_factory=dict)
    before: dict[str, set[str]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    """By `eval_id`, for executors of this process."""


def task_graph(items: Iterable[Item]) -> TaskGraph:
    """The tasks of the given items, with the networks and the pairs of other runs they need."""
    graph = TaskGraph()
    for item in items:
        if item.run.plan is not None:
            _add_run(graph, item.run.plan, item.run.request)
    for key, plan in graph.plans.items():
        if plan.source is not None and plan.source.eval_id in graph.tasks:
            graph.before[key].add(plan.source.eval_id)
    return graph


def _add_run(graph: TaskGraph, plan: Plan, request: RunRequest, *, pairs: bool = False) -> None:
    if plan.eval_id in graph.tasks:
        return
    if plan.source is not None and not plan.source.pairs_file.is_file():
        _add_run(graph, plan.source, request_of(plan.source, request), pairs=True)
    task = Task(
        request=request,
        label=plan.row.label,
        dataset=plan.session.dataset.name,
        fit_id=plan.fit_id,
        eval_id=plan.eval_id,
        pairs=pairs,
    )
    networks = missing_networks(plan)
    for name, identity in networks.items():
        graph.tasks.setdefault(identity, task.model_copy(update={"network": name}))
        graph.before.setdefault(identity, set())
    graph.plans[plan.eval_id] = plan
    graph.tasks[plan.eval_id] = task
    graph.before[plan.eval_id] = set(networks.values())
