"""The state of a suite: which runs are done, running or missing, and their estimated cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from dfbench.errors import InvalidInput
from dfbench.identity import canonical_json
from dfbench.planning.plan import Plan
from dfbench.records.record import Record
from dfbench.records.state import RunState, read_state
from dfbench.records.store import ResultStore
from dfbench.suites.planning import SuiteRun

Status = Literal["planned", "running", "done", "failed", "timeout", "skipped"]
STATUSES: tuple[Status, ...] = ("planned", "running", "done", "failed", "timeout", "skipped")


@dataclass(frozen=True)
class SuiteItem:
    """A run of a suite with its state."""

    run: SuiteRun
    status: Status
    reason: str | None = None
    """Why it is not done."""
    state: RunState | None = None
    record: Record | None = None
    estimate: float | None = None
    """Estimated seconds of fit, embedding and ranking; None if unknown."""

    @property
    def missing(self) -> bool:
        """Whether it is still to be executed: planned, running or interrupted."""
        interrupted = self.state is not None and self.state.interrupted
        return self.status in ("planned", "running") or interrupted

    @property
    def seconds(self) -> float | None:
        """Wall time of a finished run."""
        return _cost(self.record) if self.record else None


def take_inventory(runs: Sequence[SuiteRun], store: ResultStore) -> list[SuiteItem]:
    """The state of each run, from its record and the state file in its folder."""
    items = [_item(run, store) for run in runs]
    if not any(item.missing for item in items):
        return items
    costs = _costs(store)
    return [_estimated(item, costs) for item in items]


def networks_to_train(items: Iterable[SuiteItem]) -> dict[str, str]:
    """Identities of the networks that missing runs need and the cache lacks, with their names."""
    return {
        identity: name
        for item in items
        if item.missing and item.run.plan
        for name, identity in missing_networks(item.run.plan).items()
    }


def missing_networks(plan: Plan) -> dict[str, str]:
    """Names and identities of the networks of a plan that the cache lacks."""
    session = plan.session
    return {
        name: identity
        for name, identity in plan.networks.items()
        if not session.network_file(identity).is_file()
    }


def _item(run: SuiteRun, store: ResultStore) -> SuiteItem:
    if run.plan is None:
        return SuiteItem(run, "skipped", run.skipped)
    try:
        found = store.find(run.plan.eval_id)
    except InvalidInput as fault:  # not a record, or one that was edited
        return SuiteItem(run, "failed", str(fault))
    if found is not None:
        return SuiteItem(run, "done", record=found[1])
    state = read_state(run.plan.folder)
    if state is None or state.status == "done":  # done, but its record is gone: to be repeated
        return SuiteItem(run, "planned")
    return SuiteItem(run, state.status, state.reason, state)


def _cost(record: Record) -> float:
    return record.seconds.fit + record.seconds.embed + record.seconds.rank


_Costs = Mapping[tuple[str, ...], list[float]]


def _costs(store: ResultStore) -> _Costs:
    """Seconds of earlier runs by method, configuration, budget, numerics and optionally dataset."""
    costs: dict[tuple[str, ...], list[float]] = {}
    for record in store:
        config, budget = record.method.config, record.budget.model_dump(mode="json")
        kind = (record.method.label, canonical_json([config, budget]), record.numerics)
        for key in (kind, (*kind, record.data.name)):
            costs.setdefault(key, []).append(_cost(record))
    return costs


def _estimated(item: SuiteItem, costs: _Costs) -> SuiteItem:
    plan = item.run.plan
    if plan is None or item.status == "done":
        return item
    config, budget = plan.method.config, plan.session.budget.model_dump(mode="json")
    kind = (plan.method.label, canonical_json([config, budget]), plan.session.numerics)
    found = costs.get((*kind, plan.session.dataset.name)) or costs.get(kind)
    estimate = round(median(found), 1) if found else None
    return replace(item, estimate=estimate)
