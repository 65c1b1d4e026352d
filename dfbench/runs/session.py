"""What the rows of one command share: opened data, teachers, budget, device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from dfbench.budget import Budget
from dfbench.datasets.alternative import AlternativeImages, alternative_source
from dfbench.datasets.dataset import Dataset, DatasetRequest
from dfbench.errors import InvalidInput
from dfbench.plugins import load_target
from dfbench.runs.environment import available_threads
from dfbench.runs.job import DatasetOffer
from dfbench.runs.request import DataChoice, RunRequest
from dfbench.runs.settings import configure, split_settings
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.store import TeacherStore

FALLBACK = DataChoice(name="shapes")
"""The dataset whose spare classes serve where no others are to be had."""


@dataclass(frozen=True)
class Session:
    """What the rows of one command share: opened data, teachers, budget."""

    request: RunRequest
    dataset: Dataset
    alternative: AlternativeImages
    budget: Budget
    recipe: TeacherRecipe
    device: torch.device

    @property
    def numerics(self) -> str:
        """How numbers are computed; part of every identity."""
        return f"{self.device.type}-fp32"

    @property
    def threads(self) -> int:
        """Processor threads of training and embedding."""
        return self.request.threads or available_threads()

    @cached_property
    def teachers(self) -> TeacherStore:
        """The teachers that all rows share."""
        return TeacherStore(
            folder=self.request.places.cache / "teachers",
            dataset=self.dataset,
            alternative=self.alternative,
            recipe=self.recipe,
            seed=self.request.seed,
            device=self.device,
            numerics=self.numerics,
        )


def open_session(request: RunRequest, offers: dict[str, DatasetOffer]) -> Session:
    """Check the request's settings and open its data, from the datasets that plugins offer.

    Raises `UnknownName`, `InvalidConfig` or `InvalidInput`: what is wrong with it.
    """
    device = resolve_device(request.device)
    parts = split_settings(request.settings)
    budget = configure(Budget, {}, parts["budget"], "the budget", "budget.")
    recipe = configure(TeacherRecipe, {}, parts["teachers"], "the teachers", "teachers.")

    def open_choice(choice: DataChoice) -> Dataset:
        return _open(choice, offers[choice.kind], request)

    other = request.data.alternative
    dataset = open_choice(request.data)
    alternative = alternative_source(
        dataset,
        None if other is None else open_choice(_sized(other, dataset)),
        lambda: open_choice(FALLBACK),
    )
    return Session(request, dataset, alternative, budget, recipe, device)


def resolve_device(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda` as a device. Raises `InvalidInput` for `cuda` without one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            "--device cuda, but torch sees no CUDA device; allowed here: --device cpu, auto"
        )
    return torch.device(name)


def _sized(name: str, dataset: Dataset) -> DataChoice:
    return DataChoice(name=name, image_size=dataset.image_size)


def _open(choice: DataChoice, offer: DatasetOffer, request: RunRequest) -> Dataset:
    argument = choice.name.partition(":")[2]
    if bool(argument) != (offer.argument is not None):
        form = f"{choice.kind}:{offer.argument}" if offer.argument else choice.kind
        raise InvalidInput(
            f"dataset {choice.name!r}; allowed: --dataset {form} (see: dfbench list datasets)"
        )
    opening = load_target(offer.target, offer.file)
    dataset: Dataset = opening(
        DatasetRequest(
            cache=request.places.cache / "images",
            argument=argument or None,
            image_size=choice.image_size,
            classes=choice.classes,
            alternative_classes=choice.alternative_classes,
            skip_unreadable=choice.skip_unreadable,
        )
    )
    return dataset
