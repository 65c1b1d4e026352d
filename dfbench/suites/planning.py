"""From the cells of a grid to plans: one process loads plugins, each dataset is opened once."""

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
    """Why the method cannot run in this scenario."""

    @property
    def label(self) -> str:
        """Label of the method."""
        return self.request.method

    @property
    def dataset(self) -> str:
        """Name of the dataset, as in records if it was opened."""
        return self.plan.session.dataset.name if self.plan else self.request.data.name


@dataclass(frozen=True)
class SuitePlan:
    """All runs of a suite, in order; nothing is started."""

    runs: tuple[SuiteRun, ...]
    device: str
    """`cpu` or `cuda`."""
    gpus: int
    """Number of CUDA devices of this machine."""


def plan_suite(file: SuiteFile, cells: Sequence[Cell]) -> SuitePlan:
    """Plan the cells of a suite; a run whose pairs another needs is added before it.

    Raises `InvalidSuite`, with a line for each invalid key: a method or dataset that does not exist
    or rejects its settings, or two keys for the same run.
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
