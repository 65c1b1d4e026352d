"""The runs of a suite: their plans, their state, and their estimated cost.

One process loads plugins, each dataset is opened once, and nothing is started.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from dfbench.errors import InvalidInput
from dfbench.identity import canonical_json
from dfbench.planning.plan import CannotRun, Plan, Refusal, plan_requests
from dfbench.records.record import Record
from dfbench.records.state import RunState, read_state, run_title
from dfbench.records.store import ResultStore
from dfbench.request import RunRequest
from dfbench.suites.file import SuiteFile
from dfbench.suites.grid import Cell
from dfbench.suites.positions import KeyPath


@dataclass(frozen=True)
class SuiteRun:
    """One run of a suite."""

    request: RunRequest
    plan: Plan | None
    """None for a run that is skipped."""
    skipped: str | None = None
    """Why the method cannot run in this scenario."""

    @property
    def label(self) -> str:
        """Label of the method."""
        return self.request.method

    @property
    def dataset(self) -> str:
        """Name of the dataset, as in records if it was opened."""
        return self.plan.session.dataset.name if self.plan else self.request.data.name

    @property
    def title(self) -> str:
        """One line for messages."""
        row, scenario = self.request.configured_method, self.request.scenario
        return run_title(row, self.dataset, scenario, self.request.seed)


@dataclass(frozen=True)
class SuitePlan:
    """All runs of a suite, in order; nothing is started."""

    runs: tuple[SuiteRun, ...]
    device: str
    """`cpu` or `cuda`."""
    gpus: int
    """Number of CUDA devices of this machine."""


def plan_suite(file: SuiteFile, cells: Sequence[Cell], *, elsewhere: bool) -> SuitePlan:
    """Plan the cells of a suite; a run whose pairs another needs is added before it.

    With `elsewhere`, this machine may lack the device. Raises `InvalidSuite`, with a line for each
    invalid key: a method or dataset that does not exist or rejects its settings, or two keys for
    the same run.
    """
    planned = plan_requests([cell.request for cell in cells], elsewhere=elsewhere)
    answers = list(zip(cells, planned.plans, strict=True))
    faults = dict.fromkeys((*_refusals(answers, file.lines), *_twins(answers)))
    if faults:
        raise file.invalid(faults)
    runs = [_run(cell, answer) for cell, answer in answers]
    return SuitePlan(tuple(_with_sources(runs)), planned.device, planned.gpus)


_Answers = Sequence[tuple[Cell, list[Plan] | Refusal]]


def _refusals(answers: _Answers, lines: Mapping[KeyPath, int]) -> Iterator[tuple[KeyPath, str]]:
    for cell, answer in answers:
        if isinstance(answer, Refusal) and not isinstance(answer.fault, CannotRun):
            yield _key(cell, answer, lines), str(answer.fault)


def _key(cell: Cell, refusal: Refusal, lines: Mapping[KeyPath, int]) -> KeyPath:
    if refusal.part == "method":
        return cell.method_key
    if refusal.part == "scenario":
        return cell.scenario_key
    if refusal.part == "dataset":
        return cell.dataset_key
    if refusal.part == "rerank":
        own = (*cell.dataset_key, "rerank")
        return own if own in lines else ("rerank",)
    network: KeyPath = ("teachers", "network")
    return (*cell.dataset_key, *network) if (*cell.dataset_key, *network) in lines else network


def _twins(answers: _Answers) -> Iterator[tuple[KeyPath, str]]:
    """Cells that are the same run, although the file spells them differently."""
    first: dict[str, Cell] = {}
    for cell, answer in answers:
        if isinstance(answer, Refusal):
            continue
        other = first.setdefault(answer[-1].eval_id, cell)
        if other is cell:
            continue
        axis = "method_key" if other.method_key != cell.method_key else "dataset_key"
        here: KeyPath = getattr(cell, axis)
        there: KeyPath = getattr(other, axis)
        yield here, f"the same run as {there[0]}[{there[1]}]; name one of the two"


def _run(cell: Cell, answer: list[Plan] | Refusal) -> SuiteRun:
    if isinstance(answer, Refusal):
        return SuiteRun(cell.request, None, str(answer.fault))
    return SuiteRun(cell.request, answer[-1])


def _with_sources(runs: Sequence[SuiteRun]) -> Iterator[SuiteRun]:
    """The runs, with each missing source inserted before the first run that needs it."""
    known = {run.plan.eval_id for run in runs if run.plan}
    for run in runs:
        source = run.plan.source if run.plan else None
        if source is not None and source.eval_id not in known:
            known.add(source.eval_id)
            yield SuiteRun(request_of(source, run.request), source)
        yield run


def request_of(plan: Plan, other: RunRequest) -> RunRequest:
    """The request of a plan with its method's default settings, from another of its session."""
    shared = {"method": plan.method.label, "settings": other.settings.shared}
    return other.model_copy(update=shared)


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
    def fitted(self) -> bool:
        """Whether it has a record, so that at most re-rankings are missing."""
        return self.record is not None

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
        if item.missing and item.run.plan and not item.fitted
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
        lacking = [one.label for one in run.plan.missing_rerankers(found[1])]
        reason = f"re-rankings to do: {', '.join(lacking)}" if lacking else None
        return SuiteItem(run, "planned" if lacking else "done", reason, record=found[1])
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
    if plan is None or item.fitted:  # nothing is known about the cost of re-rankings
        return item
    config, budget = plan.method.config, plan.session.budget.model_dump(mode="json")
    kind = (plan.method.label, canonical_json([config, budget]), plan.session.numerics)
    found = costs.get((*kind, plan.session.dataset.name)) or costs.get(kind)
    estimate = round(median(found), 1) if found else None
    return replace(item, estimate=estimate)
