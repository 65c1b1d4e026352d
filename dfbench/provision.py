"""How needs are made, loaded and handed to a method: the half of their table that takes torch.

`dfbench.need` has the other half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfbench.artefacts import load_pairs
from dfbench.datasets.dataset import ImageSet
from dfbench.errors import UndeclaredNeed
from dfbench.identity import derive_seed
from dfbench.learning.pool import PairPool
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Need, supply_identity
from dfbench.networks import ByKnowledge
from dfbench.teachers.activations import ActivationRecords, record_activations
from dfbench.teachers.facts import NetworkFacts
from dfbench.teachers.imagenet import IMAGENET_CLASSES
from dfbench.teachers.store import Made, StoredNetwork, TeacherStore
from dfbench.teachers.stored import (
    load_joint_classifier,
    load_modality_classifier,
    load_records,
    load_teacher,
)
from dfbench.teachers.teacher import Teacher
from dfbench.teachers.training import (
    accuracy,
    normaliser_of,
    train_modality_classifier,
    train_unified_teacher,
)


class ProvidedNeeds:
    """What a method gets for the needs that it declared; part of `dfbench.Setting`."""

    def __init__(self, method: str, supplies: Mapping[Need, Any]) -> None:
        self.method = method
        self._supplies = supplies

    @property
    def modality_classifier(self) -> nn.Module:
        """Maps images in [0, 1] to logits `[B]`, positive for sketches; frozen.

        Needs `Need.MODALITY_CLASSIFIER`.
        """
        classifier: nn.Module = self._supply(Need.MODALITY_CLASSIFIER)
        return classifier

    @property
    def leaky_modality_classifier(self) -> nn.Module:
        """Like `modality_classifier`, but trained on the teachers' training images.

        Needs `Need.LEAKY_MODALITY_CLASSIFIER`.
        """
        classifier: nn.Module = self._supply(Need.LEAKY_MODALITY_CLASSIFIER)
        return classifier

    def unified_teacher(self, modality: Modality) -> Teacher:
        """One frozen teacher of photos and sketches, with a modality's normaliser.

        Both modalities share the weights. Needs `UNIFIED_TEACHER`.
        """
        teacher: Teacher = self._supply(Need.UNIFIED_TEACHER)[modality]
        return teacher

    def initial_classifier(self, modality: Modality) -> Teacher:
        """The network that both teachers were initialised from, with a modality's normaliser.

        It is frozen and keeps the head of its own pre-training: its `classes` are the alternative
        ones or ImageNet's, none of `self.classes`. Needs `INITIAL_CLASSIFIER`.
        """
        classifier: Teacher = self._supply(Need.INITIAL_CLASSIFIER)[modality]
        return classifier

    def activation_records(self, modality: Modality) -> ActivationRecords:
        """Statistics of a teacher's features on its training images; needs `ACTIVATION_RECORDS`."""
        records: ActivationRecords = self._supply(Need.ACTIVATION_RECORDS)[modality]
        return records

    def generated_pairs(self) -> PairPool:
        """The pairs that the run of `Method.pairs_of` generated, on the device.

        Needs `GENERATED_PAIRS`.
        """
        pool: PairPool = self._supply(Need.GENERATED_PAIRS)
        return pool

    def alternative_images(self, modality: Modality) -> Tensor:
        """Unlabelled images of other classes, uint8 `[N, 3, H, W]`; needs `ALTERNATIVE_DATA`."""
        images: Tensor = self._supply(Need.ALTERNATIVE_DATA)[modality]
        return images

    def by_knowledge(self, known: nn.Module, unknown: nn.Module) -> nn.Module:
        """An encoder that uses `known` for images of known classes and `unknown` for the others.

        A class is known if the teacher of the image's modality knows it. The encoder returns both
        embeddings, of equal dimension; the harness, which has the labels, keeps one. Needs
        `KNOWN_CLASS_ORACLE`.
        """
        either: Callable[[nn.Module, nn.Module], nn.Module]
        either = self._supply(Need.KNOWN_CLASS_ORACLE)
        return either(known, unknown)

    def training_images(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """A teacher's training images, uint8 `[N, 3, H, W]`, and labels; needs `TRAINING_DATA`.

        Labels `[N]` are indices into `classes`.
        """
        images, labels = self._supply(Need.TRAINING_DATA)[modality]
        return images, labels

    def _supply(self, need: Need) -> Any:
        if need not in self._supplies:
            raise UndeclaredNeed(
                f"method {self.method!r} asked for {need.value!r} without declaring it; "
                f"let its needs() return Need.{need.name}"
            )
        return self._supplies[need]


@dataclass(frozen=True)
class Files:
    """Where what a fit was given lies."""

    supplies: Mapping[str, Path]
    """Stored networks and records by name of the supply."""
    arrays: Mapping[str, Path]
    """Arrays (.npy) by name and modality, `training-labels-photo`."""
    pairs: Path | None
    """Generated pairs of another run."""

    def array(self, name: str) -> Tensor:
        """An array on the CPU."""
        return torch.from_numpy(np.load(self.arrays[name]))

    def images(self, name: str) -> Tensor:
        """Images `[N, 3, H, W]` on the CPU."""
        return self.array(name).expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Provision:
    """How a need comes about."""

    load: Callable[[Files, torch.device], Any]
    """What `ProvidedNeeds` hands to the method, from files; networks are on the device."""
    make: Mapping[str, Callable[[TeacherStore, str], Made]] = field(default_factory=dict)
    """By name of each supply, how it is trained or measured; it is told its name."""


def provide(needs: Iterable[str], files: Files, device: torch.device) -> dict[Need, Any]:
    """By need, what a setting hands to the method that declared it."""
    return {need: PROVISIONS[need].load(files, device) for need in map(Need, needs)}


def supplied(store: TeacherStore, name: str) -> StoredNetwork:
    """A supply from the cache of teachers; trained or measured if it is not there."""
    (make,) = (one.make[name] for one in PROVISIONS.values() if name in one.make)
    return store.get(supply_identity(store.identities, name), partial(make, store, name))


def _modality_classifier_of(
    images: Callable[[TeacherStore], dict[Modality, ImageSet]], store: TeacherStore, name: str
) -> Made:
    seed = derive_seed(name, store.seed)
    network = train_modality_classifier(images(store), store.recipe, seed, store.device)
    return network.state_dict(), _facts(store, name)


def _unified_teacher(store: TeacherStore, name: str) -> Made:
    data, start = store.training_images(), store.initialisation()
    seed = derive_seed(name, store.seed)
    network = train_unified_teacher(data, store.recipe, start, seed, store.device)
    accuracies = {}
    for modality in MODALITIES:
        network.normaliser = normaliser_of(store.recipe, modality, start).to(store.device)
        test = store.images(modality, "test")
        accuracies[modality] = accuracy(network, test, store.device)
    network.normaliser = nn.Identity()
    facts = {"accuracies": accuracies, "classes": data["photo"].classes}
    return network.state_dict(), _facts(store, name, **facts)


def _records(modality: Modality, store: TeacherStore, name: str) -> Made:
    """Statistics of a teacher on its training images, which do not change."""
    teacher = load_teacher(store.teacher(modality).path).to(store.device)
    images = store.images(modality, "train")
    records = record_activations(teacher.network, images, store.device)
    facts = {"modality": modality, "classes": records.classes}
    return records.tensors(), _facts(store, name, **facts)


def _initial_classifier(store: TeacherStore, name: str) -> Made:
    """The common start of the teachers once more, made alike, and this time with its head."""
    if store.recipe.pretrained:
        network, weights = store.of_imagenet()
        weights.enter_head(network.backbone, network.head)
        classes = IMAGENET_CLASSES
    else:
        network = store.of_alternative()
        classes = store.alternative_images()["photo"].classes
    return network.state_dict(), _facts(store, name, classes=classes)


def _facts(store: TeacherStore, name: str, **more: Any) -> NetworkFacts:
    return store.facts(name, supply_identity(store.identities, name), **more)


def _load_classifier(name: str, files: Files, device: torch.device) -> nn.Module:
    return load_modality_classifier(files.supplies[name]).to(device)


def _load_joint(name: str, files: Files, device: torch.device) -> dict[Modality, Teacher]:
    classifiers = load_joint_classifier(files.supplies[name])
    return {modality: classifier.to(device) for modality, classifier in classifiers.items()}


def _load_records(files: Files, device: torch.device) -> dict[Modality, ActivationRecords]:
    return {
        m: load_records(files.supplies[f"{m} activation records"]).to(device) for m in MODALITIES
    }


def _load_pairs(files: Files, device: torch.device) -> PairPool:
    if files.pairs is None:
        raise ValueError("the job of a method that needs generated pairs names their file")
    return PairPool.of(*load_pairs(files.pairs)).to(device)


PROVISIONS: Mapping[Need, Provision] = {
    Need.MODALITY_CLASSIFIER: Provision(
        partial(_load_classifier, "modality classifier"),
        {"modality classifier": partial(_modality_classifier_of, TeacherStore.alternative_images)},
    ),
    Need.LEAKY_MODALITY_CLASSIFIER: Provision(
        partial(_load_classifier, "leaky modality classifier"),
        {
            "leaky modality classifier": partial(
                _modality_classifier_of, TeacherStore.training_images
            )
        },
    ),
    Need.ACTIVATION_RECORDS: Provision(
        _load_records,
        {f"{modality} activation records": partial(_records, modality) for modality in MODALITIES},
    ),
    Need.ALTERNATIVE_DATA: Provision(
        lambda files, _: {m: files.images(f"alternative-{m}") for m in MODALITIES}
    ),
    Need.UNIFIED_TEACHER: Provision(
        partial(_load_joint, "unified teacher"), {"unified teacher": _unified_teacher}
    ),
    Need.INITIAL_CLASSIFIER: Provision(
        partial(_load_joint, "initial classifier"), {"initial classifier": _initial_classifier}
    ),
    Need.GENERATED_PAIRS: Provision(_load_pairs),
    # What the harness knows of test images stays there: the method offers two embeddings of each.
    Need.KNOWN_CLASS_ORACLE: Provision(lambda *_: ByKnowledge),
    Need.TRAINING_DATA: Provision(
        lambda files, _: {
            m: (files.images(f"training-{m}"), files.array(f"training-labels-{m}"))
            for m in MODALITIES
        }
    ),
}
