"""The cache of trained teachers, each trained once per identity."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfbench.datasets.alternative import AlternativeImages, images_of
from dfbench.datasets.dataset import Dataset, ImageSet, Part
from dfbench.errors import InvalidInput
from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Backbone, Classifier
from dfbench.system.console import note
from dfbench.system.locks import FileLock
from dfbench.teachers.activations import record_activations
from dfbench.teachers.facts import TEACHER, NetworkFacts
from dfbench.teachers.identities import NetworkIdentities, Supply, network_file
from dfbench.teachers.imagenet import IMAGENET_CLASSES
from dfbench.teachers.pretrained import PretrainedWeights, imagenet_weights
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.stored import (
    load_backbone,
    load_teacher,
    read_facts,
    save_tensors,
)
from dfbench.teachers.training import (
    accuracy,
    normaliser_of,
    train_initialisation,
    train_modality_classifier,
    train_teacher,
    train_unified_teacher,
)

Made = tuple[Mapping[str, Tensor], NetworkFacts]
"""Named tensors and their facts."""


@dataclass(frozen=True)
class StoredNetwork:
    """A trained network in the cache."""

    path: Path
    facts: NetworkFacts


@dataclass(frozen=True)
class TeacherStore:
    """Teachers of one dataset, seed and recipe, trained on first use."""

    folder: Path
    dataset: Dataset
    alternative: Callable[[], AlternativeImages]
    """Opens the alternative images, if a network needs them."""
    recipe: TeacherRecipe
    seed: int
    device: torch.device
    numerics: str
    """Numerics of the computation, e.g. `cpu-fp32`."""
    known: Mapping[Modality, tuple[str, ...]] = field(default_factory=dict)
    """Classes of each teacher that is not trained on all classes of the dataset."""
    external: Mapping[Modality, str] = field(default_factory=dict)
    """Identities of external teachers in the cache, both or none."""

    @cached_property
    def identities(self) -> NetworkIdentities:
        """Identities of all networks, computed without training them."""
        return NetworkIdentities(
            dataset=self.dataset.fingerprint,
            alternative=lambda: self.alternative().fingerprint,
            recipe=self.recipe,
            seed=self.seed,
            numerics=self.numerics,
            known=self.known,
            external=self.external,
        )

    def teacher(self, modality: Modality) -> StoredNetwork:
        """The teacher of a modality, with its accuracy on the test images of its classes."""
        identity = self.identities.teacher(modality)
        if modality in self.external:
            return self._kept(identity)

        def train() -> Made:
            start = self._initialisation()
            data = self._images(modality, "train")
            seed = derive_seed("teacher", modality, self.seed)
            network = train_teacher(modality, data, self.recipe, start, seed, self.device)
            held_out = accuracy(network, self._images(modality, "test"), self.device)
            facts = {"accuracy": held_out, "modality": modality, "classes": data.classes}
            return network.state_dict(), self._facts(TEACHER, identity, **facts)

        return self._get(identity, train)

    def supply(self, supply: Supply) -> StoredNetwork:
        """A network or record that a need requires in addition to the two teachers."""
        make: Callable[[], Made] = {
            Supply.MODALITY_CLASSIFIER: self._modality_classifier,
            Supply.LEAKY_MODALITY_CLASSIFIER: self._leaky_modality_classifier,
            Supply.UNIFIED_TEACHER: self._unified_teacher,
            Supply.PHOTO_RECORDS: lambda: self._records("photo", supply),
            Supply.SKETCH_RECORDS: lambda: self._records("sketch", supply),
            Supply.INITIAL_CLASSIFIER: self._initial_classifier,
        }[supply]
        return self._get(self.identities.supply(supply), make)

    def _modality_classifier(self) -> Made:
        return self._tell_modalities(Supply.MODALITY_CLASSIFIER, self._alternative_images())

    def _leaky_modality_classifier(self) -> Made:
        return self._tell_modalities(Supply.LEAKY_MODALITY_CLASSIFIER, self._training_images())

    def _tell_modalities(self, supply: Supply, data: dict[Modality, ImageSet]) -> Made:
        seed = derive_seed(supply, self.seed)
        network = train_modality_classifier(data, self.recipe, seed, self.device)
        return network.state_dict(), self._facts(supply, self.identities.supply(supply))

    def _unified_teacher(self) -> Made:
        supply, data = Supply.UNIFIED_TEACHER, self._training_images()
        seed = derive_seed(supply, self.seed)
        start = self._initialisation()
        network = train_unified_teacher(data, self.recipe, start, seed, self.device)
        accuracies = {}
        for modality in MODALITIES:
            network.normaliser = normaliser_of(self.recipe, modality, start).to(self.device)
            test = self._images(modality, "test")
            accuracies[modality] = accuracy(network, test, self.device)
        network.normaliser = nn.Identity()
        facts = {"accuracies": accuracies, "classes": data["photo"].classes}
        return network.state_dict(), self._facts(supply, self.identities.supply(supply), **facts)

    def _records(self, modality: Modality, supply: Supply) -> Made:
        """Activation records of a teacher on its training images."""
        teacher = load_teacher(self.teacher(modality).path).to(self.device)
        images = self._images(modality, "train")
        records = record_activations(teacher.network, images, self.device)
        facts = {"modality": modality, "classes": records.classes}
        return records.tensors(), self._facts(supply, self.identities.supply(supply), **facts)

    def _initial_classifier(self) -> Made:
        """The common initialisation of the teachers, recomputed to keep its classifier head."""
        supply = Supply.INITIAL_CLASSIFIER
        identity = self.identities.supply(supply)
        if self.recipe.pretrained:
            network, weights = self._of_imagenet()
            weights.enter_head(network.backbone, network.head)
            classes = IMAGENET_CLASSES
        else:
            network = self._of_alternative()
            classes = self._alternative_images()["photo"].classes
        return network.state_dict(), self._facts(supply, identity, classes=classes)

    def _initialisation(self) -> Backbone | None:
        identity = self.identities.initialisation
        if identity is None:
            return None
        make = self._from_imagenet if self.recipe.pretrained else self._from_alternative
        return load_backbone(self._get(identity, lambda: make(identity)).path)

    def _from_alternative(self, identity: str) -> Made:
        backbone = self._of_alternative().backbone
        return backbone.state_dict(), self._facts("initialisation", identity)

    def _of_alternative(self) -> Classifier:
        seed = derive_seed("initialisation", self.seed)
        return train_initialisation(self._alternative_images(), self.recipe, seed, self.device)

    def _from_imagenet(self, identity: str) -> Made:
        backbone = self._of_imagenet()[0].backbone
        return backbone.state_dict(), self._facts("initialisation", identity)

    def _of_imagenet(self) -> tuple[Classifier, PretrainedWeights]:
        """A classifier with ImageNet weights in its backbone and a newly initialised head."""
        weights = imagenet_weights(self.recipe.network, self.recipe.weights)
        torch.default_generator.manual_seed(derive_seed("initialisation", self.seed))
        size = self.dataset.image_size
        network = Classifier(self.recipe.network, nn.Identity(), len(IMAGENET_CLASSES), size)
        note(weights.enter(network.backbone))
        return network, weights

    def stored(self, identity: str) -> StoredNetwork | None:
        """The network of an identity, if the cache has an undamaged copy."""
        path = network_file(self.folder, identity)
        facts = read_facts(path)
        whole = facts is not None and facts.identity == identity
        return StoredNetwork(path, facts) if facts and whole else None

    def _kept(self, identity: str) -> StoredNetwork:
        found = self.stored(identity)
        if found is None:
            raise InvalidInput(
                f"teacher {identity[:12]} is no longer in the cache, or damaged; repeat the same "
                "command with the teacher's file"
            )
        return found

    def _get(self, identity: str, make: Callable[[], Made]) -> StoredNetwork:
        path = network_file(self.folder, identity)
        waiting = f"another process is training network {identity[:12]}: waiting"
        found = self.stored(identity)
        if found is not None:
            return found
        with FileLock(path.with_suffix(".lock"), waiting):
            found = self.stored(identity)  # if another process trained it meanwhile
            if found is not None:
                return found
            if path.exists():
                note(f"{path} is damaged and not used: training it again")
            started = time.monotonic()
            tensors, facts = make()
            facts = replace(facts, seconds=round(time.monotonic() - started, 1))
            save_tensors(path, tensors, facts)
            return StoredNetwork(path, facts)

    def _facts(self, kind: str, identity: str, **more: Any) -> NetworkFacts:
        return NetworkFacts(
            kind,
            self.recipe.network,
            identity,
            0.0,
            image_size=self.dataset.image_size,
            pretrained=self.recipe.pretrained,
            **more,
        )

    def _training_images(self) -> dict[Modality, ImageSet]:
        return {modality: self._images(modality, "train") for modality in MODALITIES}

    def _images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the classes of a modality's teacher; no other images are read."""
        images = self.dataset.images(modality, part)
        return images_of((images,), self.known.get(modality, images.classes))

    def _alternative_images(self) -> dict[Modality, ImageSet]:
        return {modality: self.alternative().images(modality) for modality in MODALITIES}
