"""From requests to plans: data are opened and identities computed; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from dfbench.errors import DfbenchError, PluginFault
from dfbench.modality import MODALITIES
from dfbench.need import PAIRS_FILE, Need, supplies_of, supply_identity
from dfbench.planning.session import FALLBACK, Session, Sessions, requested_settings
from dfbench.plugins.info import MethodInfo, RerankerInfo
from dfbench.process.launch import chosen_rerankers, describe
from dfbench.process.messages import (
    Description,
    Fault,
    MethodAnswer,
    MethodQuestion,
    PluginQuestion,
)
from dfbench.records.identities import (
    evaluation_identity,
    fit_identity,
    reranking_identity,
)
from dfbench.records.record import Record
from dfbench.records.state import Subject
from dfbench.records.store import run_folder
from dfbench.request import DataChoice, RunRequest
from dfbench.scenarios import CLOSED
from dfbench.teachers.external import stored_teacher


class CannotRun(DfbenchError):
    """A method that cannot run in its scenario or with its teachers; a suite skips it."""


@dataclass(frozen=True)
class Plan:
    """One run, ready to be looked up or executed."""

    session: Session
    method: MethodInfo
    source: Plan | None = None
    """The run whose generated pairs this one needs; it is executed first."""
    rerankers: tuple[RerankerInfo, ...] = ()
    """Second rankings of its embeddings; they change neither the fit nor the plain scores."""

    @property
    def scenario(self) -> str:
        """Which classes the teachers know, and which are queried."""
        return self.session.request.scenario

    @property
    def subject(self) -> Subject:
        """The run, as named in the state in its folder."""
        name, seed = self.session.dataset.name, self.session.request.seed
        return Subject(method=self.method.label, dataset=name, scenario=self.scenario, seed=seed)

    @property
    def folder(self) -> Path:
        """The folder of the run's large files."""
        request, name = self.session.request, self.session.dataset.name
        return run_folder(request.places.runs, name, self.method.label, request.seed, self.fit_id)

    @property
    def pairs_file(self) -> Path:
        """The file of the pairs that the run generates, if it does."""
        return self.folder / PAIRS_FILE

    @property
    def networks(self) -> dict[str, str]:
        """Identities of the networks the run needs: the teachers and those of its needs."""
        networks = self.session.networks
        teachers = {f"{modality} teacher": networks.teacher(modality) for modality in MODALITIES}
        return teachers | self._supplied_networks()

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes to the user before the run, one line each."""
        session = self.session
        if not (session.alternative_on_demand and self.needs_alternative_images):
            return session.notes
        classes = session.alternative.classes
        return (
            *session.notes,
            f"alternative images: {session.alternative.source}, {len(classes)} classes that no "
            f"teacher knows ({', '.join(classes)}); others: --alternative DATASET",
        )

    def needs(self, need: Need) -> bool:
        """Whether the method declared this need."""
        return need.value in self.method.needs

    @property
    def needs_alternative_images(self) -> bool:
        """Whether the method, or a network trained for it, uses images of other classes."""
        return any(Need(need).provision.from_alternative_images for need in self.method.needs)

    @cached_property
    def fit_id(self) -> str:
        """Identity of the fit: everything that determines the encoders."""
        return self._fit_in(self.scenario)

    @property
    def computation(self) -> str:
        """Seed material of a run's random orders, the same for equivalent scenarios.

        An overlap of all classes thus gives exactly the numbers of `closed`.
        """
        return self.fit_id if self.session.restricted else self._fit_in(CLOSED)

    def _fit_in(self, scenario: str) -> str:
        session = self.session
        return fit_identity(
            method=self.method,
            budget=session.budget,
            fingerprint=session.dataset.fingerprint,
            scenario=scenario,
            teachers={m: session.networks.teacher(m) for m in MODALITIES},
            supplies=self._supplies(scenario),
            seed=session.request.seed,
            numerics=session.numerics,
            unseen=session.division.unseen if session.division is not None else (),
            plugin_networks=session.networks.plugin_networks if session.plugin_networks else None,
        )

    @cached_property
    def eval_id(self) -> str:
        """Identity of the record: the fit and the version of the metrics."""
        return evaluation_identity(self.fit_id)

    def rerank_id(self, reranker: RerankerInfo) -> str:
        """Identity of a re-ranking: the fit, the re-ranker, and the version of the metrics."""
        return reranking_identity(self.fit_id, reranker)

    def missing_rerankers(self, record: Record) -> list[RerankerInfo]:
        """The re-rankers that a record of this run has no scores of."""
        known = {one.identity for one in record.reranked.values()}
        return [one for one in self.rerankers if self.rerank_id(one) not in known]

    def _supplies(self, scenario: str) -> dict[str, str]:
        supplies = self._supplied_networks()
        for need in self.method.needs:
            supplies |= Need(need).provision.data(self.session.networks)
        if self.source is not None:
            supplies[Need.GENERATED_PAIRS.value] = self.source._fit_in(scenario)
        return supplies

    def _supplied_networks(self) -> dict[str, str]:
        networks = self.session.networks
        return {name: supply_identity(networks, name) for name in supplies_of(self.method.needs)}


@dataclass(frozen=True)
class Refusal:
    """Why a request has no plan."""

    part: Literal["method", "dataset", "scenario", "network", "rerank"]
    """The part of the request that is wrong."""
    fault: DfbenchError


def plan_methods(request: RunRequest, *, beside: bool) -> list[Plan]:
    """The plan of the request last, preceded, with `beside`, by those of its baselines.

    Plugins are queried in a separate process before any data are read, and the settings that
    methods share are checked before that.
    """
    requested_settings(request)
    planned = plan_requests([request], beside=beside).plans[0]
    if isinstance(planned, Refusal):
        raise planned.fault
    return planned


@dataclass(frozen=True)
class Planned:
    """The plans of several requests, in their order."""

    plans: list[list[Plan] | Refusal]
    """The plans of each request, the requested method last, or why there are none."""
    device: str
    """`cpu` or `cuda`."""
    gpus: int
    """Number of CUDA devices."""


def plan_requests(
    requests: Sequence[RunRequest], *, beside: bool = False, elsewhere: bool = False
) -> Planned:
    """Plan requests with the same device and plugins.

    One process describes the methods of all plugins, each dataset is opened once, and requests that
    differ only in their method share a session. With `elsewhere` the runs are executed on other
    machines, if at all: this one may lack the device.
    """
    kinds = {FALLBACK.kind}
    asked: dict[str, MethodQuestion] = {}
    for request in requests:
        kinds |= _dataset_kinds(request.data)
        asked.setdefault(_method_key(request), _method_question(request, beside=beside))
    question = PluginQuestion(
        methods=tuple(asked.values()),
        datasets=tuple(sorted(kinds)),
        networks=tuple(sorted({name for request in requests for name in _networks(request)})),
        rerankers=tuple(sorted({text for request in requests for text in request.rerank})),
        device=requests[0].device,
        elsewhere=elsewhere,
        plugins=requests[0].plugins,
    )
    description = describe(question)
    planner = _Planner(description, dict(zip(asked, description.methods, strict=True)))
    plans = [planner.plan(request) for request in requests]
    return Planned(plans, description.device, description.gpus)


def open_session(request: RunRequest) -> Session:
    """The session of a request, regardless of its method. Raises `DfbenchError`."""
    requested_settings(request)
    question = PluginQuestion(
        methods=(),
        datasets=tuple(sorted({FALLBACK.kind} | _dataset_kinds(request.data))),
        networks=tuple(sorted(_networks(request))),
        device=request.device,
        plugins=request.plugins,
    )
    description = describe(question)
    for answer in description.networks.values():
        if answer.fault is not None:
            raise _error(answer.fault)
    return _sessions(description).open(request)


class _Planner:
    """Plans requests from the descriptions of plugins."""

    def __init__(self, description: Description, answers: dict[str, MethodAnswer]) -> None:
        self._answers = answers
        self._networks = description.networks
        self._rerankers = description.rerankers
        self._sessions = _sessions(description)
        self._sources: dict[tuple[int, str], Plan] = {}

    def plan(self, request: RunRequest) -> list[Plan] | Refusal:
        answer = self._answers[_method_key(request)]
        unavailable = self._unavailable(request, answer)
        if unavailable is not None:
            return unavailable
        rerankers = tuple(chosen_rerankers([self._rerankers[text] for text in request.rerank]))
        try:
            session = self._sessions.open(request)
            refusal = _refused(session, (*answer.methods, *answer.sources.values()))
            if refusal is not None:
                return refusal
            plans = [
                Plan(session, method, self._source(session, method, answer.sources), rerankers)
                for method in answer.methods
            ]
            for plan in plans:
                _ = plan.eval_id  # errors in an identity are reported now, not during the run
        except DfbenchError as fault:
            return Refusal("dataset", fault)
        return plans

    def _unavailable(self, request: RunRequest, answer: MethodAnswer) -> Refusal | None:
        """What plugins cannot provide for a request; None if all is available."""
        if answer.fault is not None:
            return Refusal("method", _error(answer.fault))
        for name in sorted(_networks(request)):
            fault = self._networks[name].fault
            if fault is not None:
                return Refusal("network", _error(fault))
        try:
            chosen_rerankers([self._rerankers[text] for text in request.rerank])
        except DfbenchError as refused:
            return Refusal("rerank", refused)
        try:
            for method in (*answer.methods, *answer.sources.values()):
                _check_needs(method)
        except CannotRun as refused:
            return Refusal("method", refused)
        return None

    def _source(
        self, session: Session, method: MethodInfo, sources: dict[str, MethodInfo]
    ) -> Plan | None:
        if method.pairs_of is None:
            return None
        key = (id(session), method.pairs_of)
        return self._sources.setdefault(key, Plan(session, sources[method.pairs_of]))


def _method_question(request: RunRequest, *, beside: bool) -> MethodQuestion:
    return MethodQuestion(label=request.method, settings=request.settings.method, beside=beside)


def _method_key(request: RunRequest) -> str:
    """A key that is equal for requests with the same question to plugins."""
    return repr((request.method, sorted(request.settings.method.items())))


def _networks(request: RunRequest) -> set[str]:
    """Names of the backbones of external teachers, and of the one that was requested."""
    names = {request.settings.teachers.get("network", "")} - {""}
    for teacher in request.teachers.values():
        # Errors in a name are reported when the session is opened.
        with suppress(DfbenchError):
            names.add(stored_teacher(teacher, request.places.cache / "teachers", {})[1].network)
    return names


def _sessions(description: Description) -> Sessions:
    networks = (one.offer for one in description.networks.values() if one.offer is not None)
    return Sessions(description.datasets, description.device, networks)


def _dataset_kinds(data: DataChoice) -> set[str]:
    """Registered names of a dataset and of the one that provides its alternative classes."""
    other = None if data.alternative is None else data.alternative.partition(":")[0]
    return {data.kind} if other is None else {data.kind, other}


def _error(fault: Fault) -> DfbenchError:
    return (PluginFault if fault.of_plugin else DfbenchError)(fault.message)


def _check_needs(method: MethodInfo) -> None:
    missing = {*method.needs} - {*Need}
    if missing:
        raise CannotRun(
            f"method {method.label!r} needs {', '.join(sorted(missing))}; "
            f"this version can supply: {', '.join(sorted(Need))}"
        )


def _refused(session: Session, methods: Sequence[MethodInfo]) -> Refusal | None:
    """Why the dataset has no such scenario, or a method cannot run in it; None if it can."""
    try:
        kind = session.scenario_kind
    except DfbenchError as fault:
        return Refusal("scenario", fault)
    for method in methods:
        unsupplied = [need for need in method.needs if Need(need).provision.from_training_images]
        if session.external and unsupplied:
            return Refusal("method", CannotRun(_without_images(method, sorted(unsupplied))))
        if kind in method.cannot:
            where = f"method {method.label!r} cannot run in scenario {session.request.scenario!r}"
            return Refusal("method", CannotRun(f"{where}: {method.cannot[kind]}"))
    return None


def _without_images(method: MethodInfo, needs: Sequence[str]) -> str:
    return (
        f"method {method.label!r} needs {', '.join(needs)} from the training of the teachers, "
        "which external teachers come without; choose another method (see: dfbench list methods), "
        "or train teachers on --dataset"
    )
