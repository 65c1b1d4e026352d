"""The cache of trained teachers: each is trained once per identity."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from dfbench.datasets.alternative import AlternativeImages
from dfbench.datasets.dataset import MODALITIES, Dataset, ImageSet, Modality
from dfbench.errors import InvalidInput
from dfbench.identity import identify
from dfbench.seeds import derive_seed
from dfbench.teachers.recipe import RECIPE_VERSION, TeacherRecipe
from dfbench.teachers.stored import NetworkFacts, load_backbone, read_facts, save_network
from dfbench.teachers.training import (
    accuracy,
    train_initialisation,
    train_modality_classifier,
    train_teacher,
)


@dataclass(frozen=True)
class StoredNetwork:
    """A trained network in the cache."""

    path: Path
    facts: NetworkFacts


@dataclass(frozen=True)
class TeacherStore:
    """Teachers of one dataset, seed and recipe, trained when first asked for."""

    folder: Path
    dataset: Dataset
    alternative: AlternativeImages | None
    """Images of other classes; None if nothing here needs them."""
    recipe: TeacherRecipe
    seed: int
    device: torch.device
    numerics: str
    """How numbers are computed, e.g. `cpu-fp32`."""

    def teacher_id(self, modality: Modality) -> str:
        """Identity of a teacher, known without training it."""
        shared = self.recipe.initialisation == "alternative"
        return self._identity(
            f"{modality} teacher",
            dataset=self.dataset.fingerprint,
            initialisation=self.initialisation_id if shared else None,
            steps=self.recipe.steps,
        )

    @cached_property
    def initialisation_id(self) -> str:
        """Identity of the initialisation that both teachers start from."""
        return self._alternative_id("initialisation", self.recipe.alternative_steps)

    @cached_property
    def modality_classifier_id(self) -> str:
        """Identity of the modality classifier."""
        return self._alternative_id("modality classifier", self.recipe.modality_steps)

    def teacher(self, modality: Modality) -> StoredNetwork:
        """The teacher of a modality, with its accuracy on the dataset's test images."""

        def train() -> tuple[nn.Module, NetworkFacts]:
            start = self._initialisation()
            data = self.dataset.images(modality, "train")
            seed = derive_seed("teacher", modality, self.seed)
            network = train_teacher(modality, data, self.recipe, start, seed, self.device)
            held_out = accuracy(network, self.dataset.images(modality, "test"), self.device)
            return network, NetworkFacts(
                kind="teacher",
                network=self.recipe.network,
                identity=self.teacher_id(modality),
                seconds=0.0,
                accuracy=held_out,
                modality=modality,
                classes=data.classes,
            )

        return self._get(self.teacher_id(modality), train)

    def modality_classifier(self) -> StoredNetwork:
        """The photo-or-sketch classifier, trained on alternative classes only."""

        def train() -> tuple[nn.Module, NetworkFacts]:
            seed = derive_seed("modality classifier", self.seed)
            data = self._alternative_images()
            network = train_modality_classifier(data, self.recipe, seed, self.device)
            return network, self._facts("modality classifier", self.modality_classifier_id)

        return self._get(self.modality_classifier_id, train)

    def _initialisation(self) -> nn.Module | None:
        if self.recipe.initialisation == "random":
            return None

        def train() -> tuple[nn.Module, NetworkFacts]:
            seed = derive_seed("initialisation", self.seed)
            data = self._alternative_images()
            backbone = train_initialisation(data, self.recipe, seed, self.device)
            return backbone, self._facts("initialisation", self.initialisation_id)

        return load_backbone(self._get(self.initialisation_id, train).path)

    def _get(
        self, identity: str, train: Callable[[], tuple[nn.Module, NetworkFacts]]
    ) -> StoredNetwork:
        path = self.folder / f"{identity}.safetensors"
        facts = read_facts(path)
        if facts is None:
            started = time.monotonic()
            network, facts = train()
            facts = replace(facts, seconds=round(time.monotonic() - started, 1))
            save_network(path, network, facts)
        return StoredNetwork(path, facts)

    def _facts(self, kind: str, identity: str) -> NetworkFacts:
        return NetworkFacts(kind, self.recipe.network, identity, 0.0)

    def _alternative_images(self) -> dict[Modality, ImageSet]:
        source = self._alternative()
        return {modality: source.images(modality) for modality in MODALITIES}

    def _alternative(self) -> AlternativeImages:
        if self.alternative is None:
            raise InvalidInput(
                "alternative images are needed and none were given; use --alternative DATASET"
            )
        return self.alternative

    def _alternative_id(self, kind: str, steps: int) -> str:
        return self._identity(kind, alternative=self._alternative().fingerprint, steps=steps)

    def _identity(self, kind: str, **parts: str | int | None) -> str:
        schedule = self.recipe.model_dump(
            include={"network", "batch_size", "learning_rate", "weight_decay"}
        )
        content = {**schedule, **parts, "seed": self.seed, "numerics": self.numerics}
        return identify(kind, RECIPE_VERSION, content)
