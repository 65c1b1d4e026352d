"""What a method may use beyond two frozen teachers: the table of needs; free of torch.

An entry tells what a need is, what it is made of, and what of it decides the identity of a fit.
`dfbench.provision` makes it, loads it and hands it to the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality
from dfbench.teachers.identities import NetworkIdentities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dfbench.datasets.dataset import ImageArray, ImageSet

    MakeImages = Callable[["ImageSource", Modality], ImageArray | NDArray[np.int64]]

PAIRS_FILE = "pairs.safetensors"
"""File name of the generated pairs in a run's folder."""


@dataclass(frozen=True)
class Supply:
    """A network or its statistics, kept beside the teachers under an identity of its own."""

    name: str
    """As identities and records have it."""
    identity: Callable[[NetworkIdentities], str]
    """Raises `InvalidConfig` where the recipe does not give it."""
    made_from: Callable[[NetworkIdentities], tuple[str, ...]] = lambda _: ()
    """Identities of the networks that it is made from, nearest first."""


@dataclass(frozen=True)
class ImageSource:
    """Images that a fit may be given."""

    alternative: Callable[[Modality], ImageSet]
    """Those of other classes."""
    training: Callable[[Modality], ImageSet]
    """Those that the teacher of a modality is trained on."""
    computation: str
    """What random orders depend on."""


@dataclass(frozen=True)
class Origin:
    """Where what a need names comes from."""

    supplies: tuple[Supply, ...] = ()
    arrays: Mapping[str, MakeImages] = field(default_factory=dict)
    """Arrays of each modality, by the first part of their name."""
    data: Callable[[NetworkIdentities], dict[str, str]] = lambda _: {}
    """What a fit's identity says of images that the dataset's own does not."""
    from_training_images: bool = False
    """Whether it is made of the teachers' training images, which external teachers lack."""
    from_alternative_images: bool = False
    """Whether it always takes images of other classes."""
    reference: bool = False
    """Whether a method that uses it is a reference: no data-free method has it."""


_OF_THE_RUN = Origin()
"""Neither trained nor read from a dataset."""


def _unlabelled(source: ImageSource, modality: Modality) -> ImageArray:
    """Alternative images in an order that does not reveal their classes."""
    import numpy as np  # only here and below: tables do not wait for it

    from dfbench.datasets.dataset import joined

    images = source.alternative(modality).images
    seed = derive_seed("alternative image order", source.computation, modality)
    return joined([(images, np.random.default_rng(seed).permutation(len(images)))])


def _training_labels(source: ImageSource, modality: Modality) -> NDArray[np.int64]:
    """Labels of a teacher's images as indices into the union of both teachers' classes."""
    import numpy as np

    known = {m: source.training(m).classes for m in MODALITIES}
    union = sorted({*known["photo"], *known["sketch"]})
    index = np.array([union.index(name) for name in known[modality]], dtype=np.int64)
    return index[source.training(modality).labels]


def _of_initialisation(networks: NetworkIdentities) -> tuple[str, ...]:
    return () if networks.initialisation is None else (networks.initialisation,)


class Need(StrEnum):
    """What a method may use beyond two frozen teachers; tables print it beside the method."""

    _value_: str
    origin: Origin

    def __new__(cls, value: str, origin: Origin = _OF_THE_RUN) -> Need:
        """A member that is its text and knows where what it names comes from."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.origin = origin
        return member

    MODALITY_CLASSIFIER = (
        "modality classifier",
        Origin(
            supplies=(
                Supply(
                    "modality classifier",
                    lambda n: n.of_alternative("modality classifier", n.recipe.modality_steps),
                ),
            ),
            from_alternative_images=True,
        ),
    )
    """A photo-or-sketch classifier trained on alternative classes only."""
    LEAKY_MODALITY_CLASSIFIER = (
        "leaky modality classifier",
        Origin(
            supplies=(
                Supply(
                    "leaky modality classifier",
                    lambda n: n.of_both("leaky modality classifier", n.recipe.modality_steps),
                ),
            ),
            from_training_images=True,
        ),
    )
    """A photo-or-sketch classifier trained on the teachers' training images."""
    ACTIVATION_RECORDS = (
        "activation records",
        Origin(
            supplies=(
                Supply(
                    "photo activation records",
                    lambda n: n.records_of(n.photo),
                    lambda n: (n.photo, *_of_initialisation(n)),
                ),
                Supply(
                    "sketch activation records",
                    lambda n: n.records_of(n.sketch),
                    lambda n: (n.sketch, *_of_initialisation(n)),
                ),
            ),
            from_training_images=True,
        ),
    )
    """Statistics of the teachers' activations, recorded on their training data."""
    ALTERNATIVE_DATA = (
        "alternative data",
        Origin(
            arrays={"alternative": _unlabelled},
            data=lambda n: {"alternative data": n.alternative()},
            from_alternative_images=True,
        ),
    )
    """Unlabelled photos and sketches of other classes."""
    UNIFIED_TEACHER = (
        "unified teacher",
        Origin(
            supplies=(
                Supply(
                    "unified teacher",
                    lambda n: n.teacher_of_both("unified teacher"),
                    _of_initialisation,
                ),
            ),
            from_training_images=True,
        ),
    )
    """One teacher trained on photos and sketches together."""
    INITIAL_CLASSIFIER = (
        "initial classifier",
        Origin(
            supplies=(Supply("initial classifier", lambda n: n.of_start("initial classifier")),),
            from_training_images=True,
        ),
    )
    """The network that both teachers were initialised from, with the head of its pre-training."""
    GENERATED_PAIRS = "generated pairs"
    """The pairs that a finished run generated, whose fit is part of this one's identity."""
    KNOWN_CLASS_ORACLE = "known-class oracle", Origin(reference=True)
    """Whether the teacher of its modality knows a test image's class: a bound, not a method."""
    TRAINING_DATA = (
        "training data",
        Origin(
            arrays={
                "training": lambda source, modality: source.training(modality).images,
                "training-labels": _training_labels,
            },
            from_training_images=True,
            reference=True,
        ),
    )
    """The teachers' training images and labels: a data-dependent reference."""


_SUPPLIES = {supply.name: supply for need in Need for supply in need.origin.supplies}


def supplies_of(needs: Iterable[str]) -> tuple[str, ...]:
    """Names of the supplies that needs ask for; images and other runs' pairs are none."""
    return tuple(supply.name for need in needs for supply in Need(need).origin.supplies)


def supply_identity(networks: NetworkIdentities, name: str) -> str:
    """Identity of a supply. Raises `InvalidConfig` for one that the recipe does not give."""
    return _SUPPLIES[name].identity(networks)


def lineage(networks: NetworkIdentities, name: str) -> tuple[str, ...]:
    """Identities of a teacher or supply and of the networks it is made from, nearest first.

    `name` is that of a supply, `photo teacher` or `sketch teacher`.
    """
    for modality in MODALITIES:
        if name == f"{modality} teacher":
            return networks.teacher(modality), *_of_initialisation(networks)
    return supply_identity(networks, name), *_SUPPLIES[name].made_from(networks)
