"""Identities of trained networks, computed before training and without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from dfbench.errors import InvalidConfig
from dfbench.identity import identify
from dfbench.modality import Modality
from dfbench.need import Need
from dfbench.teachers.imagenet import imagenet_checksum
from dfbench.teachers.recipe import RECIPE_VERSION, RECORDS_VERSION, TeacherRecipe


class Supply(StrEnum):
    """A network or record that a need requires in addition to the two teachers."""

    MODALITY_CLASSIFIER = "modality classifier"
    LEAKY_MODALITY_CLASSIFIER = "leaky modality classifier"
    UNIFIED_TEACHER = "unified teacher"
    PHOTO_RECORDS = "photo activation records"
    SKETCH_RECORDS = "sketch activation records"
    INITIAL_CLASSIFIER = "initial classifier"


_SUPPLIES: dict[str, tuple[Supply, ...]] = {
    Need.MODALITY_CLASSIFIER: (Supply.MODALITY_CLASSIFIER,),
    Need.LEAKY_MODALITY_CLASSIFIER: (Supply.LEAKY_MODALITY_CLASSIFIER,),
    Need.UNIFIED_TEACHER: (Supply.UNIFIED_TEACHER,),
    Need.ACTIVATION_RECORDS: (Supply.PHOTO_RECORDS, Supply.SKETCH_RECORDS),
    Need.INITIAL_CLASSIFIER: (Supply.INITIAL_CLASSIFIER,),
}


_Parts = dict[str, object]


def supplies_of(needs: Iterable[str]) -> tuple[Supply, ...]:
    """The supplies that needs require; images and the pairs of other runs are not supplies."""
    return tuple(supply for need in needs for supply in _SUPPLIES.get(need, ()))


def network_file(folder: Path, identity: str) -> Path:
    """The file of a network in a cache folder, by identity."""
    return folder / f"{identity}.safetensors"


@dataclass(frozen=True)
class NetworkIdentities:
    """Identities of the networks of one dataset, recipe and seed."""

    dataset: str
    """Fingerprint of the dataset."""
    alternative: Callable[[], str]
    """Returns the fingerprint of the alternative images, if an identity needs it."""
    recipe: TeacherRecipe
    seed: int
    numerics: str
    """Numerics of the computation, e.g. `cpu-fp32`."""
    known: Mapping[Modality, tuple[str, ...]] = field(default_factory=dict)
    """Classes of each teacher that is not trained on all classes of the dataset."""
    external: Mapping[Modality, str] = field(default_factory=dict)
    """Identities of external teachers, both or none."""

    @cached_property
    def photo(self) -> str:
        """Identity of the photo teacher."""
        return self.external.get("photo") or self._teacher("photo teacher", self._classes("photo"))

    @cached_property
    def sketch(self) -> str:
        """Identity of the sketch teacher."""
        return self.external.get("sketch") or self._teacher(
            "sketch teacher", self._classes("sketch")
        )

    @cached_property
    def initialisation(self) -> str | None:
        """Identity of the common initialisation of all teachers; None if each has its own."""
        if self.external:
            return None
        recipe = self.recipe
        if recipe.weights is not None and recipe.initialisation != "imagenet":
            raise InvalidConfig(
                f"teachers.weights={str(recipe.weights)!r} with teachers.initialisation="
                f"{recipe.initialisation}; allowed only with --set teachers.initialisation=imagenet"
            )
        if recipe.initialisation == "random":
            return None
        if recipe.initialisation == "alternative":
            return self._of_alternative("initialisation", recipe.alternative_steps)
        return self._identity(
            "ImageNet initialisation",
            weights=imagenet_checksum(recipe.network, recipe.weights),
            normaliser="as published",
            dataset=self.dataset,  # its image size determines the stem
        )

    def teacher(self, modality: Modality) -> str:
        """Identity of the teacher of a modality."""
        return self.photo if modality == "photo" else self.sketch

    def supply(self, supply: Supply) -> str:
        """Identity of a supply. Raises `InvalidConfig` if the recipe does not provide it."""
        steps = self.recipe.modality_steps
        match supply:
            case Supply.MODALITY_CLASSIFIER:
                return self._of_alternative(supply, steps)
            case Supply.LEAKY_MODALITY_CLASSIFIER:
                return self._identity(supply, dataset=self.dataset, steps=steps, **self._of_both())
            case Supply.UNIFIED_TEACHER:
                return self._teacher(supply, self._of_both())
            case Supply.PHOTO_RECORDS:
                return identify("activation records", RECORDS_VERSION, {"teacher": self.photo})
            case Supply.SKETCH_RECORDS:
                return identify("activation records", RECORDS_VERSION, {"teacher": self.sketch})
            case Supply.INITIAL_CLASSIFIER:
                return identify(supply, RECIPE_VERSION, {"initialisation": self._common_start()})

    def lineage(self, name: str) -> tuple[str, ...]:
        """Identities of a teacher or supply and of the networks it is derived from, nearest first.

        `name` is the name of a supply, `photo teacher` or `sketch teacher`.
        """
        start = () if self.initialisation is None else (self.initialisation,)
        match name:
            case "photo teacher":
                return self.photo, *start
            case "sketch teacher":
                return self.sketch, *start
            case Supply.PHOTO_RECORDS:
                return self.supply(Supply.PHOTO_RECORDS), self.photo, *start
            case Supply.SKETCH_RECORDS:
                return self.supply(Supply.SKETCH_RECORDS), self.sketch, *start
            case Supply.UNIFIED_TEACHER:
                return self.supply(Supply.UNIFIED_TEACHER), *start
            case _:
                return (self.supply(Supply(name)),)

    def _common_start(self) -> str:
        if self.initialisation is None:
            raise InvalidConfig(
                "teachers.initialisation=random provides no initial classifier, which is required; "
                "allowed: --set teachers.initialisation=alternative, or imagenet"
            )
        return self.initialisation

    def _teacher(self, kind: str, classes: _Parts) -> str:
        return self._identity(
            kind,
            dataset=self.dataset,
            initialisation=self.initialisation,
            steps=self.recipe.steps,
            **classes,
        )

    def _classes(self, modality: Modality) -> _Parts:
        """The classes in the identity of a teacher; empty if it is trained on all classes."""
        return {"classes": list(self.known[modality])} if modality in self.known else {}

    def _of_both(self) -> _Parts:
        """The classes in the identity of a network trained on images of both teachers."""
        return {"classes": {m: list(c) for m, c in self.known.items()}} if self.known else {}

    def _of_alternative(self, kind: str, steps: int) -> str:
        return self._identity(kind, alternative=self.alternative(), steps=steps)

    def _identity(self, kind: str, **parts: object) -> str:
        schedule = self.recipe.model_dump(
            include={"network", "batch_size", "learning_rate", "weight_decay"}
        )
        content = {**schedule, **parts, "seed": self.seed, "numerics": self.numerics}
        return identify(kind, RECIPE_VERSION, content)
