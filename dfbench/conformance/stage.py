"""The test environment of a method: teachers of drawn figures, a small budget, fits on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from dfbench.artefacts import Artefacts
from dfbench.conformance.props import Breaker, Broken, FewShapes
from dfbench.datasets.dataset import ImageSet
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.learning.loop import CHECKPOINT_SECONDS, GlobalRandomState, Loops, TrainingLoop
from dfbench.learning.pool import to_bytes
from dfbench.method import Method, MethodConfig, Setting
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Files, Need, provide, supplied, supplies_of
from dfbench.networks import Encoders
from dfbench.numerics import pinned_numerics
from dfbench.planning.methods import difference, method_class, resolve
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session, Sessions, requested_settings
from dfbench.planning.settings import configure
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import MethodInfo
from dfbench.plugins.networks import plugin_networks
from dfbench.plugins.sources import PluginSources
from dfbench.process.handover import shared_arrays
from dfbench.process.messages import DatasetAnswer, DatasetOffer, Job
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.request.settings import Settings
from dfbench.runs.ingredients import supplied_arrays
from dfbench.teachers.stored import load_teacher
from dfbench.worker.contract import embedded, fitted, teacher_digests

SEED = 0
THREADS = 1
"""More threads do not speed up such small networks, and slow them down on a busy machine."""
SETTINGS = {
    "teachers.network": "resnet-tiny",
    "teachers.steps": "300",
    "teachers.alternative_steps": "150",
    "teachers.modality_steps": "60",
    "teachers.batch_size": "32",
    "budget.steps": "100",
    "budget.batch_size": "24",
    "budget.embedding_dim": "16",
    "budget.queue_size": "48",
}
OFFER = DatasetOffer(
    name=FewShapes.name,
    target="dfbench.conformance.props:open_few_shapes",
    argument=None,
    file=None,
)
_PAIRS = 64
_MOST_BREAKS = 3


class NotedSupplies(dict[Need, Any]):
    """The declared needs of a method; records every request, even if the method hides a refusal."""

    def __init__(self, supplies: Mapping[Need, Any]) -> None:
        super().__init__(supplies)
        self.asked: set[Need] = set()

    def __contains__(self, need: object) -> bool:
        if isinstance(need, Need):
            self.asked.add(need)
        return super().__contains__(need)


@dataclass(frozen=True)
class Fit:
    """A finished fit with observations for the checks."""

    encoders: Encoders
    embeddings: dict[str, Tensor]
    """Embeddings of the test images by representation and modality: `photo`, `posterior sketch`."""
    asked: frozenset[Need]
    """Needs that the method requested."""
    altered_teachers: tuple[Modality, ...]
    altered_settings: str
    """Settings that the method changed; empty if none."""
    optimiser_steps: int
    """Steps that optimisers of torch took."""


@dataclass(frozen=True)
class Repeated:
    """A fit that was interrupted and resumed until it ended."""

    outcome: Fit | Exception
    """The last attempt, or the exception that ended it."""
    broken: tuple[str, ...]
    """Names of the interrupted loops."""


class Stage:
    """A method with everything it needs for a small fit that runs in seconds."""

    def __init__(
        self,
        host: PluginHost,
        label: str,
        settings: Settings,
        *,
        place: Path,
        cache: Path,
        device: str = "cpu",
    ) -> None:
        self.host = host
        self.label = label
        self.device = device
        self._settings = settings
        self._place = place
        self._cache = cache
        self._sessions: dict[str, Sessions] = {}
        self._lent = ExitStack()
        self._used_generators: dict[str, set[str]] = {}

    def check_settings(self) -> None:
        """Raise `UnknownName` or `InvalidConfig` for invalid settings."""
        self._session("closed", self.device)
        given = self._settings.method
        if given:
            cls, base = method_class(self.host, self.label)
            configure(cls.Config, base, given, f"method {self.label!r}")

    def close(self) -> None:
        """Release the shared memory of fits."""
        self._lent.close()

    def resolved(self) -> tuple[MethodInfo, Method]:
        """The method's description, and a new instance."""
        return resolve(self.host, self.label, self._settings.method)

    @property
    def required_settings(self) -> dict[str, str]:
        """The given settings that have no default."""
        fields = method_class(self.host, self.label)[0].Config.model_fields
        given = self._settings.method
        return {name: value for name, value in given.items() if fields[name].is_required()}

    @cached_property
    def row(self) -> MethodInfo:
        """The method as its plugin describes it."""
        return self.resolved()[0]

    @cached_property
    def first(self) -> Fit:
        """A fit in the scenario `closed`."""
        return self.fit("first")

    @cached_property
    def repeated(self) -> Repeated:
        """The same fit in its own folder, interrupted in up to three loops."""
        breaker = Breaker(_MOST_BREAKS)
        while True:
            try:
                return Repeated(self.fit("repeated", make=breaker.make), tuple(breaker.broken))
            except Broken:
                continue
            except Exception as fault:  # noqa: BLE001  # a plugin may raise anything; `resume` reports it
                return Repeated(fault, tuple(breaker.broken))

    @cached_property
    def second(self) -> Fit:
        """The same fit again in its own folder, without interruption."""
        return self.fit("second")

    def used_generators(self, name: str) -> frozenset[str]:
        """Libraries whose global random generator was changed by fits of this name."""
        return frozenset(self._used_generators.get(name, ()))

    def fit(
        self,
        name: str,
        scenario: str = "closed",
        *,
        make: Callable[..., TrainingLoop] = TrainingLoop,
        device: str | None = None,
    ) -> Fit:
        """A fit in its own folder `name`, resuming from checkpoints there."""
        with pinned_numerics(THREADS, SEED):
            return self._fit(self._session(scenario, device or self.device), name, make)

    def _fit(self, session: Session, name: str, make: Callable[..., TrainingLoop]) -> Fit:
        row, method = self.resolved()
        setting, supplies = self._setting(row, session, self._place / name, make)
        digests, before = teacher_digests(setting), _global_state()
        given = _content(method.config)
        try:
            with _optimiser_steps() as steps:
                encoders = fitted(method, setting, row)
        finally:
            after = _global_state()
            used = {library for library in before if before[library] != after[library]}
            self._used_generators.setdefault(name, set()).update(used)
        digests_after = teacher_digests(setting)
        return Fit(
            encoders=encoders,
            embeddings=self._embeddings(encoders, session),
            asked=frozenset(supplies.asked),
            altered_teachers=tuple(m for m in MODALITIES if digests[m] != digests_after[m]),
            altered_settings=difference(given, _content(method.config)),
            optimiser_steps=next(steps),
        )

    def _embeddings(self, encoders: Encoders, session: Session) -> dict[str, Tensor]:
        """Embeddings of all test images, by representation and modality."""
        images, device = session.test_images(), torch.device(session.device)
        representations = {"": encoders, **encoders.representations}
        return {
            f"{name} {m}".strip(): embedded(
                getattr(representation, m), images[m].images, self.row, device, m
            )
            for name, representation in representations.items()
            for m in MODALITIES
        }

    def test_images(self) -> dict[Modality, ImageSet]:
        """Queries and gallery of the scenario `closed`."""
        return self._session("closed", self.device).test_images()

    def _session(self, scenario: str, device: str) -> Session:
        places = Places(results=self._place, runs=self._place, cache=self._cache)
        request = RunRequest(
            method=self.label,
            data=DataChoice(name=OFFER.name),
            settings=Settings({**SETTINGS, **self._settings}),
            scenario=scenario,
            seed=SEED,
            device=device,
            places=places,
        )
        answer = {OFFER.name: DatasetAnswer(offer=OFFER)}
        networks = plugin_networks(self.host, [requested_settings(request)[1].network])
        for one in networks:
            one.register()
        sessions = self._sessions.setdefault(device, Sessions(answer, device, networks))
        return sessions.open(request)

    def _setting(
        self, row: MethodInfo, session: Session, folder: Path, make: Callable[..., TrainingLoop]
    ) -> tuple[Setting, NotedSupplies]:
        device = torch.device(session.device)
        teachers = {m: load_teacher(session.teachers.teacher(m).path) for m in MODALITIES}
        job = self._job(row, session, folder)
        files = Files(job.supplies, job.arrays, job.pairs)
        supplies = NotedSupplies(provide(row.needs, files, device))
        setting = Setting(
            method=row.label,
            budget=session.budget,
            photo_teacher=teachers["photo"].to(device),
            sketch_teacher=teachers["sketch"].to(device),
            image_size=session.dataset.image_size,
            device=device,
            seed=SEED,
            artefacts=Artefacts(folder),
            loops=Loops(folder / "training", {}, CHECKPOINT_SECONDS, make),
            supplies=supplies,
        )
        return setting, supplies

    def _job(self, row: MethodInfo, session: Session, folder: Path) -> Job:
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(session, row)
        arrays = self._lent.enter_context(shared_arrays(folder, supplied_arrays(plan)))
        return Job(
            fit_id="",
            method=row,
            plugins=PluginSources(),
            budget=session.budget,
            seed=SEED,
            device=session.device,
            threads=THREADS,
            precision="fp32",
            image_size=session.dataset.image_size,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            teachers={},
            supplies={
                name: supplied(session.teachers, name).path for name in supplies_of(row.needs)
            },
            pairs=_pairs(session, folder) if Need.GENERATED_PAIRS in row.needs else None,
            arrays=arrays,
        )


@contextmanager
def _optimiser_steps() -> Iterator[Iterator[int]]:
    """Counts the steps of all optimisers in the block: the next number is how many there were."""
    steps = count()

    def stepped(*_: object) -> None:
        next(steps)

    handle = register_optimizer_step_post_hook(stepped)
    try:
        yield steps
    finally:
        handle.remove()


def _pairs(session: Session, folder: Path) -> Path:
    """Pairs of real images of a class, in place of generated pairs, which would take too long."""
    sets = {m: session.dataset.images(m, "train") for m in MODALITIES}
    random = torch.Generator().manual_seed(SEED)
    photos, sketches = (
        ClassedImages(
            torch.from_numpy(sets[m].images[:].copy()).expand(-1, 3, -1, -1),
            torch.from_numpy(sets[m].labels),
        )
        for m in MODALITIES
    )
    drawn = ClassPairs(photos, sketches, random).draw(_PAIRS)
    return Artefacts(folder / "pairs").save_pairs(to_bytes(drawn.photos), to_bytes(drawn.sketches))


def _content(config: object) -> dict[str, Any]:
    return config.model_dump(mode="json") if isinstance(config, MethodConfig) else {}


def _global_state() -> dict[str, object]:
    return {name: _plain(state) for name, state in GlobalRandomState().state_dict().items()}


def _plain(state: object) -> object:
    if isinstance(state, Tensor):
        return state.cpu().numpy().tobytes()
    return tuple(map(_plain, state)) if isinstance(state, tuple) else state
