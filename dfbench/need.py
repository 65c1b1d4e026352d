"""What a method may use beyond two frozen teachers: the table of needs.

An entry tells what a need is made of and how that is identified, made and loaded; `ProvidedNeeds`
hands it to the method. Torch is imported only when something is made or loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench.errors import UndeclaredNeed
from dfbench.modality import MODALITIES, Modality
from dfbench.teachers.identities import NetworkIdentities

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from dfbench.datasets.alternative import ImageSource
    from dfbench.datasets.dataset import ImageArray
    from dfbench.learning.pool import PairPool
    from dfbench.teachers.activations import ActivationRecords
    from dfbench.teachers.store import Made, Measured, StoredNetwork, TeacherStore
    from dfbench.teachers.teacher import Teacher

    MakeArray = Callable[[ImageSource, Modality], ImageArray | NDArray[np.int64]]

PAIRS_FILE = "pairs.safetensors"
"""File name of the generated pairs in a run's folder."""


@dataclass(frozen=True)
class Supply:
    """A network or its statistics, kept beside the teachers under an identity of its own."""

    name: str
    """As identities and records have it."""
    identity: Callable[[NetworkIdentities, str], str]
    """Is told its name; raises `InvalidConfig` where the recipe does not give it."""
    make: Callable[[TeacherStore, str], Measured]
    """Trains or measures it; is told its name."""
    made_from: Callable[[NetworkIdentities], tuple[str, ...]] = lambda _: ()
    """Identities of the networks that it is made from, nearest first."""


@dataclass(frozen=True)
class Files:
    """Files of what a fit is given."""

    supplies: Mapping[str, Path]
    """Stored networks and records by name of the supply."""
    arrays: Mapping[str, Path]
    """Arrays (.npy) by name and modality, `training-labels-photo`."""
    pairs: Path | None
    """Generated pairs of another run."""

    def array(self, name: str) -> Tensor:
        """An array on the CPU."""
        import numpy as np
        import torch

        return torch.from_numpy(np.load(self.arrays[name]))

    def images(self, name: str) -> Tensor:
        """Images `[N, 3, H, W]` on the CPU."""
        return self.array(name).expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Provision:
    """How a need comes about."""

    load: Callable[[Files, torch.device], Any]
    """What `ProvidedNeeds` hands to the method, from files; networks are on the device."""
    supplies: tuple[Supply, ...] = ()
    arrays: Mapping[str, MakeArray] = field(default_factory=dict)
    """Arrays of each modality, by the first part of their name."""
    data: Callable[[NetworkIdentities], dict[str, str]] = lambda _: {}
    """What a fit's identity says of images that the dataset's own does not."""
    from_training_images: bool = False
    """Whether it is made of the teachers' training images, which external teachers lack."""
    from_alternative_images: bool = False
    """Whether it always takes images of other classes."""
    reference: bool = False
    """Whether a method that uses it is a reference: no data-free method has it."""


def _load_modality_classifier(file: Path, device: torch.device) -> nn.Module:
    from dfbench.teachers.stored import load_modality_classifier

    return load_modality_classifier(file).to(device)


def _load_joint(file: Path, device: torch.device) -> dict[Modality, Teacher]:
    from dfbench.teachers.stored import load_joint_classifier

    return {m: classifier.to(device) for m, classifier in load_joint_classifier(file).items()}


def _load_records(files: Files, device: torch.device) -> dict[Modality, ActivationRecords]:
    from dfbench.teachers.stored import load_records

    return {
        m: load_records(files.supplies[f"{m} activation records"]).to(device) for m in MODALITIES
    }


def _load_pairs(files: Files, device: torch.device) -> PairPool:
    from dfbench.learning.pool import PairPool

    if files.pairs is None:
        raise ValueError("the job of a method that needs generated pairs names their file")
    return PairPool.load(files.pairs).to(device)


def _load_by_knowledge(*_: object) -> type[nn.Module]:
    """What the harness knows of test images stays there: the method offers two embeddings."""
    from dfbench.networks import ByKnowledge

    return ByKnowledge


def _of_initialisation(networks: NetworkIdentities) -> tuple[str, ...]:
    return () if networks.initialisation is None else (networks.initialisation,)


def _network(
    name: str,
    identity: Callable[[NetworkIdentities, str], str],
    make: Callable[[TeacherStore, str], Measured],
    load: Callable[[Path, torch.device], Any],
    *,
    made_from: Callable[[NetworkIdentities], tuple[str, ...]] = lambda _: (),
    from_training_images: bool = False,
    from_alternative_images: bool = False,
) -> tuple[str, Provision]:
    """A need that is one supply of its own name."""
    return name, Provision(
        lambda files, device: load(files.supplies[name], device),
        (Supply(name, identity, make, made_from),),
        from_training_images=from_training_images,
        from_alternative_images=from_alternative_images,
    )


def _records_of(modality: Modality) -> Supply:
    return Supply(
        f"{modality} activation records",
        lambda networks, _: networks.records_of(networks.teacher(modality)),
        lambda store, _: store.activation_records(modality),
        lambda networks: (networks.teacher(modality), *_of_initialisation(networks)),
    )


class Need(StrEnum):
    """What a method may use beyond two frozen teachers; tables print it beside the method."""

    _value_: str
    provision: Provision

    def __new__(cls, value: str, *entry: Provision) -> Need:
        """A member that is its text and has the `Provision` of what it names."""
        member = str.__new__(cls, value)
        member._value_ = value
        (member.provision,) = entry
        return member

    MODALITY_CLASSIFIER = _network(
        "modality classifier",
        lambda networks, name: networks.of_alternative(name, networks.recipe.modality_steps),
        lambda store, name: store.train_modality_classifier(name, store.alternative_images()),
        _load_modality_classifier,
        from_alternative_images=True,
    )
    """A photo-or-sketch classifier trained on alternative classes only."""
    LEAKY_MODALITY_CLASSIFIER = _network(
        "leaky modality classifier",
        lambda networks, name: networks.of_both(name, networks.recipe.modality_steps),
        lambda store, name: store.train_modality_classifier(name, store.training_images()),
        _load_modality_classifier,
        from_training_images=True,
    )
    """A photo-or-sketch classifier trained on the teachers' training images."""
    ACTIVATION_RECORDS = (
        "activation records",
        Provision(
            _load_records,
            tuple(_records_of(modality) for modality in MODALITIES),
            from_training_images=True,
        ),
    )
    """Statistics of the teachers' activations, recorded on their training data."""
    ALTERNATIVE_DATA = (
        "alternative data",
        Provision(
            lambda files, _: {m: files.images(f"alternative-{m}") for m in MODALITIES},
            arrays={"alternative": lambda source, modality: source.unlabelled(modality)},
            data=lambda networks: {"alternative data": networks.alternative()},
            from_alternative_images=True,
        ),
    )
    """Unlabelled photos and sketches of other classes."""
    UNIFIED_TEACHER = _network(
        "unified teacher",
        NetworkIdentities.teacher_of_both,
        lambda store, name: store.train_unified_teacher(name),
        _load_joint,
        made_from=_of_initialisation,
        from_training_images=True,
    )
    """One teacher trained on photos and sketches together."""
    INITIAL_CLASSIFIER = _network(
        "initial classifier",
        NetworkIdentities.of_start,
        lambda store, _: store.initial_classifier(),
        _load_joint,
        from_training_images=True,
    )
    """The network that both teachers were initialised from, with the head of its pre-training."""
    GENERATED_PAIRS = "generated pairs", Provision(_load_pairs)
    """The pairs that a finished run generated, whose fit is part of this one's identity."""
    KNOWN_CLASS_ORACLE = "known-class oracle", Provision(_load_by_knowledge, reference=True)
    """Whether the teacher of its modality knows a test image's class: a bound, not a method."""
    TRAINING_DATA = (
        "training data",
        Provision(
            lambda files, _: {
                m: (files.images(f"training-{m}"), files.array(f"training-labels-{m}"))
                for m in MODALITIES
            },
            arrays={
                "training": lambda source, modality: source.training(modality).images,
                "training-labels": lambda source, modality: source.training_labels(modality),
            },
            from_training_images=True,
            reference=True,
        ),
    )
    """The teachers' training images and labels: a data-dependent reference."""


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


_SUPPLIES = {supply.name: supply for need in Need for supply in need.provision.supplies}


def supplies_of(needs: Iterable[str]) -> tuple[str, ...]:
    """Names of the supplies that needs ask for; images and other runs' pairs are none."""
    return tuple(supply.name for need in needs for supply in Need(need).provision.supplies)


def supplied(store: TeacherStore, name: str) -> StoredNetwork:
    """A supply from the cache of teachers; trained or measured if it is not there."""
    identity = supply_identity(store.identities, name)

    def make() -> Made:
        tensors, facts = _SUPPLIES[name].make(store, name)
        return tensors, store.facts(name, identity, **facts)

    return store.get(identity, make)


def provide(needs: Iterable[str], files: Files, device: torch.device) -> dict[Need, Any]:
    """By need, what a setting hands to the method that declared it."""
    return {need: need.provision.load(files, device) for need in map(Need, needs)}


def supply_identity(networks: NetworkIdentities, name: str) -> str:
    """Identity of a supply. Raises `InvalidConfig` for one that the recipe does not give."""
    return _SUPPLIES[name].identity(networks, name)


def lineage(networks: NetworkIdentities, name: str) -> tuple[str, ...]:
    """Identities of a teacher or supply and of the networks it is made from, nearest first.

    `name` is that of a supply, `photo teacher` or `sketch teacher`.
    """
    for modality in MODALITIES:
        if name == f"{modality} teacher":
            return networks.teacher(modality), *_of_initialisation(networks)
    return supply_identity(networks, name), *_SUPPLIES[name].made_from(networks)
