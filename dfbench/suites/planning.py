"""From the cells of a grid to plans: one process asks plugins, each dataset is opened once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dfbench.planning.plan import CannotRun, Plan, Refusal, plan_requests
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
    """Why the row cannot work in this setting."""

    @property
    def label(self) -> str:
        """Label of the row."""
        return self.request.method

    @property
    def dataset(self) -> str:
        """Name of the dataset, as records have it where it was opened."""
        return self.plan.session.dataset.name if self.plan else self.request.data.name


@dataclass(frozen=True)
class SuitePlan:
    """All runs of a suite, in order; nothing is started."""

    runs: tuple[SuiteRun, ...]
    device: str
    """`cpu` or `cuda`."""
    gpus: int
    """How many CUDA devices this machine has."""


def plan_suite(file: SuiteFile, cells: Sequence[Cell]) -> SuitePlan:
    """Plan the cells of a suite; a run whose pairs another needs comes along, before it.

    Raises `InvalidSuite`, a line for each key at fault: a method or dataset that is not to be had
    or refuses its settings, or two keys that mean the same run.
    """
    planned = plan_requests([cell.request for cell in cells])
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
    network: KeyPath = ("teachers", "network")
    return (*cell.dataset_key, *network) if (*cell.dataset_key, *network) in lines else network


def _twins(answers: _Answers) -> Iterator[tuple[KeyPath, str]]:
    """Cells that are the same run, although the file writes them differently."""
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
    """The runs, and before the first that needs it each source that is none of them."""
    known = {run.plan.eval_id for run in runs if run.plan}
    for run in runs:
        source = run.plan.source if run.plan else None
        if source is not None and source.eval_id not in known:
            known.add(source.eval_id)
            yield SuiteRun(request_of(source, run.request), source)
        yield run


def request_of(plan: Plan, other: RunRequest) -> RunRequest:
    """The request of a plan with the default settings of its method, from one of its session."""
    shared = {"method": plan.method.label, "settings": other.settings.shared}
    return other.model_copy(update=shared)
