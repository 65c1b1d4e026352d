"""The session that the methods of one command share: data, teachers, budget, device."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache as once
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dfbench.budget import Budget
from dfbench.datasets.alternative import AlternativeImages, alternative_source, images_of, spare_of
from dfbench.datasets.dataset import Dataset, ImageSet, NoImages
from dfbench.errors import DfbenchError
from dfbench.hookspecs import NO_IMAGES
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Need, supplies_of
from dfbench.planning.data import open_choice, retrieval_images
from dfbench.planning.external_teachers import (
    accuracies,
    checked_choice,
    divided_by_knowledge,
    notes_of,
    scenario_kind_of,
)
from dfbench.planning.settings import shared_settings
from dfbench.plugins.code import folder_of
from dfbench.plugins.networks import NetworkOffer
from dfbench.process.messages import DatasetAnswer
from dfbench.records.environment import read_environment
from dfbench.records.record import Arithmetic
from dfbench.request import DataChoice, RunRequest
from dfbench.scenarios import CLOSED, parse_scenario
from dfbench.scenarios.classes import ScenarioClasses, ScenarioKind, divided
from dfbench.system.machine import available_cores
from dfbench.teachers.external import ExternalTeachers, external_teachers, known_classes
from dfbench.teachers.facts import official_files
from dfbench.teachers.identities import NetworkIdentities, network_file
from dfbench.teachers.recipe import PRETRAINED_IMAGE_SIZE, TeacherRecipe

if TYPE_CHECKING:
    from dfbench.teachers.store import TeacherStore

FALLBACK = DataChoice(name="shapes", base=Path("/"))
"""The dataset whose spare classes are used by default."""


@dataclass(frozen=True)
class Session:
    """The data, teachers and budget that the methods of one command share."""

    request: RunRequest
    """The request it was opened for; its method and the method's settings are ignored."""
    dataset: Dataset
    find_alternative: Callable[[], AlternativeImages]
    """Opens the images of alternative classes, once."""
    budget: Budget
    recipe: TeacherRecipe
    device: str
    """`cpu` or `cuda`."""
    offers: Mapping[str, DatasetAnswer]
    """Registration of its datasets, for a process that opens them again."""
    external: ExternalTeachers = field(default_factory=dict)
    """External teachers, both or none."""
    official: Mapping[str, Path] = field(default_factory=dict)
    """Files of the networks that its datasets provide, by identity."""
    alternative_on_demand: bool = False
    """Whether alternative images are opened only for methods that need them: none were chosen, the
    dataset has no spare classes, and the teachers are external."""
    plugin_networks: tuple[NetworkOffer, ...] = ()
    """Networks of plugins among those of the teachers, sorted by name."""

    @property
    def alternative(self) -> AlternativeImages:
        """Images of alternative classes. Raises `InvalidInput` if there are none."""
        return self.find_alternative()

    @property
    def alternative_name(self) -> str:
        """Source of the alternative images, for the record: the same for all methods of a session.

        The images are not opened for this if only some methods need them.
        """
        return spare_of(FALLBACK.name) if self.alternative_on_demand else self.alternative.source

    @property
    def numerics(self) -> str:
        """The numerics of a fit, part of its identity. Teachers are always trained in float32."""
        request = self.request
        return str(Arithmetic(self.device, request.precision, request.compile))

    @property
    def threads(self) -> int:
        """CPU threads for training and embedding."""
        return self.request.threads or available_cores()

    @cached_property
    def division(self) -> ScenarioClasses | None:
        """The class split; None if both teachers know all classes. Raises `DfbenchError`."""
        if self.external:
            return divided_by_knowledge(self.dataset, self.external)
        return divided(parse_scenario(self.request.scenario), self.dataset, self.request.seed)

    @property
    def scenario_kind(self) -> ScenarioKind:
        """The kind of the scenario for a method."""
        if self.external:
            return scenario_kind_of(self.external, self.division)
        return "closed" if self.division is None else self.division.scenario_kind

    @property
    def restricted(self) -> bool:
        """Whether a teacher knows fewer than all classes of the dataset."""
        return bool(self._known)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes to the user about the data, one line each."""
        if self.external:
            return (*self.dataset.notes, *notes_of(self.external, self.dataset, self.division))
        split = () if self.division is None else (f"{self.request.scenario}: {self.division}",)
        return (*self.dataset.notes, *split)

    def training_images(self, modality: Modality) -> ImageSet:
        """Training images of the teacher of a modality; labels are indices into its classes."""
        images = self.dataset.images(modality, "train")
        return images_of((images,), self._known.get(modality, images.classes))

    def test_images(self) -> dict[Modality, ImageSet]:
        """Queries (sketches) and gallery (photos)."""
        return {m: retrieval_images(self.dataset, self.division, m) for m in MODALITIES}

    @cached_property
    def external_accuracies(self) -> dict[Modality, float]:
        """Accuracy of external teachers on the test images of their classes."""
        return accuracies(self.external, self.test_images(), self.network_file, self.device)

    @property
    def _known(self) -> dict[Modality, tuple[str, ...]]:
        """Classes of the teachers that do not know all classes of the dataset."""
        if self.division is None or self.external:
            return {}
        known = {modality: self.division.known(modality) for modality in MODALITIES}
        return {m: classes for m, classes in known.items() if classes != self.dataset.classes}

    @cached_property
    def networks(self) -> NetworkIdentities:
        """Identities of the teachers and related networks, known before they are trained."""
        return NetworkIdentities(
            dataset=self.dataset.fingerprint,
            alternative=lambda: self.alternative.fingerprint,
            recipe=self.recipe,
            seed=self.request.seed,
            numerics=str(Arithmetic(self.device, "fp32")),
            known=self._known,
            external={modality: facts.identity for modality, facts in self.external.items()},
            plugin_networks={one.name: one.identity for one in self.plugin_networks},
            official=self.official.keys(),
            anew=self.request.train_teachers,
        )

    def network_file(self, identity: str) -> Path:
        """The file of the network of an identity: a dataset's, or in the cache."""
        cache = self.request.places.cache / "teachers"
        return self.official.get(identity) or network_file(cache, identity)

    @property
    def _teaching(self) -> list[str]:
        """The command that trains the teachers, free of paths."""
        request = self.request
        words = ["dfbench", "teachers", "train", "--dataset", self.dataset.name]
        words += [] if request.scenario == CLOSED else ["--scenario", request.scenario]
        words += ["--seed", str(request.seed), "--threads", str(self.threads), "--force"]
        usual = TeacherRecipe()
        for name, value in self.recipe.recorded.model_dump(mode="json").items():
            if value != getattr(usual, name):
                words += ["--set", f"teachers.{name}={value}"]
        return words

    def _provenance(self, kind: str) -> dict[str, str]:
        environment = read_environment(self.device, self.threads)
        needs = [need.value for need in Need if kind in supplies_of((need,))]
        return {
            "command": shlex.join([*self._teaching, *(w for n in needs for w in ("--need", n))]),
            "commit": f"{environment.commit or 'unknown'}{' (changed)' * bool(environment.dirty)}",
            "torch": environment.packages["torch"],
            "processor": environment.device,
        }

    @cached_property
    def teachers(self) -> TeacherStore:
        """The teachers that all methods share."""
        return self.teacher_store()

    def teacher_store(self, *, again: bool = False) -> TeacherStore:
        """The same; with `again`, they are trained even if they are in the cache."""
        # Imported here, so that looking up a finished run does not wait for torch.
        import torch

        from dfbench.teachers.store import TeacherStore

        return TeacherStore(
            folder=self.request.places.cache / "teachers",
            dataset=self.dataset,
            alternative=self.find_alternative,
            recipe=self.recipe,
            seed=self.request.seed,
            device=torch.device(self.device),
            numerics=self.networks.numerics,
            known=self.networks.known,
            external=self.networks.external,
            plugin_networks=self.networks.plugin_networks,
            official=self.official,
            anew=self.networks.anew,
            again=again,
            provenance=self._provenance,
        )


def requested_settings(request: RunRequest) -> tuple[Budget, TeacherRecipe]:
    """The settings that methods share. Raises `UnknownName`, `InvalidConfig`; imports no torch."""
    return shared_settings(request.settings.budget, request.settings.teachers)


class Sessions:
    """Sessions of several requests: each dataset is opened once, equal sessions are one."""

    def __init__(
        self,
        datasets: Mapping[str, DatasetAnswer],
        device: str,
        networks: Iterable[NetworkOffer] = (),
    ) -> None:
        self._answers = datasets
        self._device = device
        self._networks = {one.name: one for one in networks}
        self._opened: dict[tuple[DataChoice, Path, bool], Dataset] = {}
        self._data: dict[object, tuple[Dataset, Callable[[], AlternativeImages]]] = {}
        self._sessions: dict[str, Session] = {}

    def open(self, request: RunRequest) -> Session:
        """Check the request's settings and open its data.

        Raises `UnknownName`, `InvalidConfig` or `InvalidInput` for an error in the request.
        """
        of_any_method = {"method": "", "settings": request.settings.shared}
        key = request.model_copy(update=of_any_method).model_dump_json()
        if key not in self._sessions:
            budget, recipe = requested_settings(request)
            official = _official(self._answers.values())
            cache = request.places.cache / "teachers"
            external = external_teachers(request.teachers, cache, official)
            choice = checked_choice(request, external)
            if recipe.pretrained and choice.image_size is None:
                choice = choice.model_copy(update={"image_size": PRETRAINED_IMAGE_SIZE})
            dataset, alternative = self._images(choice, request.places.cache, external)
            on_demand = bool(external) and choice.alternative is None
            on_demand = on_demand and not dataset.alternative_classes
            if not on_demand:
                alternative()  # errors in them are reported here
            self._sessions[key] = Session(
                *(request, dataset, alternative, budget, recipe, self._device, self._answers),
                *(external, official, on_demand),
                self._networks_of(recipe, external),
            )
        return self._sessions[key]

    def _networks_of(
        self, recipe: TeacherRecipe, external: ExternalTeachers
    ) -> tuple[NetworkOffer, ...]:
        names = {facts.network for facts in external.values()} or {recipe.network}
        plain = sorted({name.partition("@")[0] for name in names})
        return tuple(self._networks[name] for name in plain if name in self._networks)

    def _images(
        self, choice: DataChoice, cache: Path, external: ExternalTeachers
    ) -> tuple[Dataset, Callable[[], AlternativeImages]]:
        known = known_classes(external)
        key = (choice, cache, known)
        if key not in self._data:
            dataset = self._dataset(choice.model_copy(update={"alternative": None}), cache)
            other = None
            if choice.alternative is not None:
                wanted = DataChoice(
                    name=choice.alternative,
                    image_size=dataset.image_size,
                    skip_unreadable=choice.skip_unreadable,
                    base=choice.base,
                    root=choice.root,
                )
                other = self._dataset(wanted, cache, alternative_only=True)
            spare = FALLBACK.model_copy(update={"image_size": dataset.image_size})
            find = partial(
                alternative_source, dataset, other, lambda: self._dataset(spare, cache), known
            )
            self._data[key] = dataset, once(find)
        return self._data[key]

    def _dataset(
        self, choice: DataChoice, cache: Path, *, alternative_only: bool = False
    ) -> Dataset:
        key = (_same_data(choice), cache, alternative_only)
        if choice.name == NO_IMAGES:
            return NoImages(choice.image_size)
        if key not in self._opened:
            answer = self._answers[choice.kind]
            if answer.offer is None:
                raise DfbenchError(answer.fault.message if answer.fault else choice.kind)
            opened = open_choice(choice, answer.offer, cache, alternative_only=alternative_only)
            sized = key[0].model_copy(update={"image_size": opened.image_size})
            self._opened[key] = self._opened[(sized, cache, alternative_only)] = opened
        return self._opened[key]


def _official(answers: Iterable[DatasetAnswer]) -> dict[str, Path]:
    """Files of the networks that datasets provide, by identity. Raises `PluginFault`."""
    offers = [answer.offer for answer in answers if answer.offer is not None]
    folders = [folder_of(one.teachers, one.file) for one in offers if one.teachers is not None]
    return {
        identity: file for folder in folders for identity, file in official_files(folder).items()
    }


def _same_data(choice: DataChoice) -> DataChoice:
    """Equal for choices that open the same dataset: a name without a path has no folder."""
    base = choice.base if ":" in choice.name else Path("/")
    return choice.model_copy(update={"base": base, "holdout": choice.holdout or "fifth"})
