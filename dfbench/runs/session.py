"""What the rows of one command share: opened data, teachers, budget, device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dfbench.budget import Budget
from dfbench.datasets.alternative import AlternativeImages, alternative_source
from dfbench.datasets.dataset import Dataset, DatasetRequest
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.plugins import load_target
from dfbench.runs.environment import available_threads
from dfbench.runs.job import DatasetAnswer, DatasetOffer
from dfbench.runs.request import DataChoice, RunRequest
from dfbench.runs.settings import configure, split_settings
from dfbench.teachers.identities import NetworkIdentities, network_file
from dfbench.teachers.recipe import TeacherRecipe

if TYPE_CHECKING:
    from dfbench.teachers.store import TeacherStore

FALLBACK = DataChoice(name="shapes")
"""The dataset whose spare classes serve where no others are to be had."""


@dataclass(frozen=True)
class Session:
    """What the rows of one command share: opened data, teachers, budget."""

    request: RunRequest
    """The request it was opened for; its method and the method's settings do not count here."""
    dataset: Dataset
    alternative: AlternativeImages
    budget: Budget
    recipe: TeacherRecipe
    device: str
    """`cpu` or `cuda`."""
    offers: Mapping[str, DatasetAnswer]
    """Where its datasets are to be had, for a process that has to open them again."""

    @property
    def numerics(self) -> str:
        """How a fit computes; part of its identity. Teachers are trained in float32 anyway."""
        return f"{self.device}-{self.request.precision}"

    @property
    def threads(self) -> int:
        """Processor threads of training and embedding."""
        return self.request.threads or available_threads()

    @cached_property
    def networks(self) -> NetworkIdentities:
        """Identities of the teachers and their kin, known before they are trained."""
        return NetworkIdentities(
            dataset=self.dataset.fingerprint,
            alternative=self.alternative.fingerprint,
            recipe=self.recipe,
            seed=self.request.seed,
            numerics=f"{self.device}-fp32",
        )

    def network_file(self, identity: str) -> Path:
        """Where the cache keeps the network of an identity."""
        return network_file(self.request.places.cache / "teachers", identity)

    @cached_property
    def teachers(self) -> TeacherStore:
        """The teachers that all rows share."""
        # Only here: whoever looks up what is done already does not wait for torch.
        import torch

        from dfbench.teachers.store import TeacherStore

        return TeacherStore(
            folder=self.request.places.cache / "teachers",
            dataset=self.dataset,
            alternative=self.alternative,
            recipe=self.recipe,
            seed=self.request.seed,
            device=torch.device(self.device),
            numerics=self.networks.numerics,
        )


class Sessions:
    """Sessions of several requests: each dataset is opened once, equal sessions are one."""

    def __init__(self, datasets: Mapping[str, DatasetAnswer], device: str) -> None:
        self._answers = datasets
        self._device = device
        self._opened: dict[tuple[DataChoice, Path], Dataset] = {}
        self._data: dict[tuple[DataChoice, Path], tuple[Dataset, AlternativeImages]] = {}
        self._sessions: dict[tuple[object, ...], Session] = {}

    def open(self, request: RunRequest) -> Session:
        """Check the request's settings and open its data.

        Raises `UnknownName`, `InvalidConfig` or `InvalidInput`: what is wrong with it.
        """
        parts = split_settings(request.settings)
        key = (
            *(request.data, request.scenario, request.seed, request.threads, request.places),
            request.precision,
            *(tuple(sorted(parts[owner].items())) for owner in ("budget", "teachers")),
        )
        if key not in self._sessions:
            budget = configure(Budget, {}, parts["budget"], "the budget", "budget.")
            recipe = configure(TeacherRecipe, {}, parts["teachers"], "the teachers", "teachers.")
            dataset, alternative = self._images(request.data, request.places.cache)
            self._sessions[key] = Session(
                request, dataset, alternative, budget, recipe, self._device, self._answers
            )
        return self._sessions[key]

    def _images(self, choice: DataChoice, cache: Path) -> tuple[Dataset, AlternativeImages]:
        key = (choice, cache)
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
                other = self._dataset(wanted, cache)
            spare = FALLBACK.model_copy(update={"image_size": dataset.image_size})
            source = alternative_source(dataset, other, lambda: self._dataset(spare, cache))
            self._data[key] = dataset, source
        return self._data[key]

    def _dataset(self, choice: DataChoice, cache: Path) -> Dataset:
        key = (choice, cache)
        if key not in self._opened:
            answer = self._answers[choice.kind]
            if answer.offer is None:
                raise DfbenchError(answer.fault.message if answer.fault else choice.kind)
            self._opened[key] = _open(choice, answer.offer, cache)
        return self._opened[key]


def _open(choice: DataChoice, offer: DatasetOffer, cache: Path) -> Dataset:
    argument = choice.name.partition(":")[2]
    if bool(argument) != (offer.argument is not None):
        form = f"{choice.kind}:{offer.argument}" if offer.argument else choice.kind
        raise InvalidInput(
            f"dataset {choice.name!r}; allowed: --dataset {form} (see: dfbench list datasets)"
        )
    if offer.argument == "PATH":
        argument = str(choice.base / Path(argument).expanduser())
    opening = load_target(offer.target, offer.file)
    dataset: Dataset = opening(
        DatasetRequest(
            cache=cache / "images",
            argument=argument or None,
            image_size=choice.image_size,
            classes=choice.classes,
            alternative_classes=choice.alternative_classes,
            skip_unreadable=choice.skip_unreadable,
            root=choice.root,
            holdout=choice.holdout,
            duplicate_photos=choice.duplicate_photos,
        )
    )
    return dataset
