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
from dfbench.teachers.identities import NetworkIdentities, network_file
from dfbench.teachers.imagenet import IMAGENET_CLASSES
from dfbench.teachers.pretrained import PretrainedWeights, imagenet_weights
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.stored import load_backbone, load_teacher, read_whole, save_tensors
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
Measured = tuple[Mapping[str, Tensor], dict[str, Any]]
"""Named tensors, and what their facts say of this network only."""


@dataclass(frozen=True)
class StoredNetwork:
    """A trained network in the cache."""

    path: Path
    facts: NetworkFacts
    checksum: str
    """Checksum of the file's facts and tensors."""


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
    plugin_networks: Mapping[str, object] = field(default_factory=dict)
    """As in `NetworkIdentities`."""
    official: Mapping[str, Path] = field(default_factory=dict)
    """Files of the networks that a dataset provides, by identity."""
    anew: bool = False
    """Whether networks are trained even if a dataset provides them."""
    again: bool = False
    """Whether networks are trained even if they are in the cache."""
    provenance: Callable[[str], Mapping[str, str]] = lambda _: {}
    """Returns the provenance of a network that is trained now, by its kind."""
    _made: set[str] = field(default_factory=set)
    """Identities of the networks trained by this process."""

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
            plugin_networks=self.plugin_networks,
            official=self.official.keys(),
            anew=self.anew,
        )

    def teacher(self, modality: Modality) -> StoredNetwork:
        """The teacher of a modality, with its accuracy on the test images of its classes."""
        identity = self.identities.teacher(modality)
        if modality in self.external:
            return self._kept(identity)

        def train() -> Made:
            start = self.initialisation()
            data = self.images(modality, "train")
            seed = derive_seed("teacher", modality, self.seed)
            network = train_teacher(modality, data, self.recipe, start, seed, self.device)
            held_out = accuracy(network, self.images(modality, "test"), self.device)
            facts = {"accuracy": held_out, "modality": modality, "classes": data.classes}
            return network.state_dict(), self.facts(TEACHER, identity, **facts)

        return self.get(identity, train)

    def initialisation(self) -> Backbone | None:
        """The network that teachers start from; None if each has its own."""
        identity = self.identities.initialisation
        if identity is None:
            return None
        make = self._from_imagenet if self.recipe.pretrained else self._from_alternative
        return load_backbone(self.get(identity, lambda: make(identity)).path)

    def _from_alternative(self, identity: str) -> Made:
        backbone = self._of_alternative().backbone
        return backbone.state_dict(), self.facts("initialisation", identity)

    def _of_alternative(self) -> Classifier:
        """A classifier of images of other classes, whose backbone is the initialisation."""
        seed = derive_seed("initialisation", self.seed)
        return train_initialisation(self.alternative_images(), self.recipe, seed, self.device)

    def _from_imagenet(self, identity: str) -> Made:
        backbone = self._of_imagenet()[0].backbone
        return backbone.state_dict(), self.facts("initialisation", identity)

    def _of_imagenet(self) -> tuple[Classifier, PretrainedWeights]:
        """A classifier with ImageNet weights in its backbone and a newly initialised head."""
        weights = imagenet_weights(self.recipe.network, self.recipe.weights)
        torch.default_generator.manual_seed(derive_seed("initialisation", self.seed))
        size = self.dataset.image_size
        network = Classifier(self.recipe.network, nn.Identity(), len(IMAGENET_CLASSES), size)
        note(weights.enter(network.backbone))
        return network, weights

    def train_modality_classifier(self, kind: str, images: dict[Modality, ImageSet]) -> Measured:
        """A classifier of photos and sketches."""
        seed = derive_seed(kind, self.seed)
        return train_modality_classifier(images, self.recipe, seed, self.device).state_dict(), {}

    def train_unified_teacher(self, kind: str) -> Measured:
        """One teacher of both modalities, with its accuracy on the test images of each."""
        data, start = self.training_images(), self.initialisation()
        seed = derive_seed(kind, self.seed)
        network = train_unified_teacher(data, self.recipe, start, seed, self.device)
        accuracies = {}
        for modality in MODALITIES:
            network.normaliser = normaliser_of(self.recipe, modality, start).to(self.device)
            test = self.images(modality, "test")
            accuracies[modality] = accuracy(network, test, self.device)
        network.normaliser = nn.Identity()
        return network.state_dict(), {"accuracies": accuracies, "classes": data["photo"].classes}

    def initial_classifier(self) -> Measured:
        """The common start of the teachers once more, made alike, and this time with its head."""
        if not self.recipe.pretrained:
            network = self._of_alternative()
            return network.state_dict(), {"classes": self.alternative_images()["photo"].classes}
        network, weights = self._of_imagenet()
        weights.enter_head(network.backbone, network.head)
        return network.state_dict(), {"classes": IMAGENET_CLASSES}

    def activation_records(self, modality: Modality) -> Measured:
        """Statistics of a teacher on its training images, which do not change."""
        teacher = load_teacher(self.teacher(modality).path).to(self.device)
        records = record_activations(teacher.network, self.images(modality, "train"), self.device)
        return records.tensors(), {"modality": modality, "classes": records.classes}

    def stored(self, identity: str) -> StoredNetwork | None:
        """The network of an identity, if a dataset provides it or the cache has an undamaged copy.

        Raises `InvalidInput` for a damaged file that a dataset provides.
        """
        path = self.official.get(identity) or network_file(self.folder, identity)
        header = read_whole(path)
        if header is not None and header.facts.identity == identity:
            return StoredNetwork(path, header.facts, header.checksum)
        if identity in self.official:
            raise InvalidInput(
                f"{str(path)!r}, an official network of the dataset, is damaged; install the "
                "dataset's package again, or train your own: --train-teachers"
            )
        return None

    def _kept(self, identity: str) -> StoredNetwork:
        found = self.stored(identity)
        if found is None:
            raise InvalidInput(
                f"teacher {identity[:12]} is no longer in the cache, or damaged; repeat the same "
                "command with the teacher's file"
            )
        return found

    def get(self, identity: str, make: Callable[[], Made]) -> StoredNetwork:
        """The network of an identity from the cache, made by one process if it is not there."""
        path = network_file(self.folder, identity)
        waiting = f"another process is training network {identity[:12]}: waiting"
        again = self.again and identity not in self._made
        found = None if again else self.stored(identity)
        if found is not None:
            return found
        with FileLock(path.with_suffix(".lock"), waiting):
            # Another process may have trained it meanwhile.
            found = None if again else self.stored(identity)
            if found is not None:
                return found
            if path.exists() and not again:
                note(f"{path} is damaged and not used: training it again")
            started = time.monotonic()
            tensors, facts = make()
            facts = replace(facts, seconds=round(time.monotonic() - started, 1))
            self._made.add(identity)
            return StoredNetwork(path, facts, save_tensors(path, tensors, facts))

    def facts(self, kind: str, identity: str, **more: Any) -> NetworkFacts:
        """What is stored with a network of this store."""
        return NetworkFacts(
            kind,
            self.recipe.network,
            identity,
            0.0,
            image_size=self.dataset.image_size,
            pretrained=self.recipe.pretrained,
            provenance=self.provenance(kind),
            **more,
        )

    def training_images(self) -> dict[Modality, ImageSet]:
        """Those of both teachers, by modality."""
        return {modality: self.images(modality, "train") for modality in MODALITIES}

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the classes of a modality's teacher; no other images are read."""
        images = self.dataset.images(modality, part)
        return images_of((images,), self.known.get(modality, images.classes))

    def alternative_images(self) -> dict[Modality, ImageSet]:
        """Images of other classes, by modality."""
        return {modality: self.alternative().images(modality) for modality in MODALITIES}
