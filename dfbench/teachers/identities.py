"""Identities of trained networks, computed before training and without torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dfbench.errors import InvalidConfig
from dfbench.identity import identify
from dfbench.modality import Modality
from dfbench.teachers.imagenet import imagenet_checksum
from dfbench.teachers.recipe import RECIPE_VERSION, RECORDS_VERSION, TeacherRecipe

_Parts = dict[str, object]
_OFFICIAL_NUMERICS = "cpu-fp32"
"""Numerics of the networks that datasets provide, which are used with any other too."""


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
    plugin_networks: Mapping[str, object] = field(default_factory=dict)
    """Plugin and version of each network that a plugin offers, by name."""
    official: Collection[str] = ()
    """Identities of the networks that a dataset provides."""
    anew: bool = False
    """Whether networks are trained even if a dataset provides them, under another identity."""

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
            return self.of_alternative("initialisation", recipe.alternative_steps)
        return self._identity(
            "ImageNet initialisation",
            weights=imagenet_checksum(recipe.network, recipe.weights),
            normaliser="as published",
            dataset=self.dataset,  # its image size determines the stem
        )

    def teacher(self, modality: Modality) -> str:
        """Identity of the teacher of a modality."""
        return self.photo if modality == "photo" else self.sketch

    def of_alternative(self, kind: str, steps: int) -> str:
        """Identity of a network trained on images of other classes."""
        return self._identity(kind, alternative=self.alternative(), steps=steps)

    def of_both(self, kind: str, steps: int) -> str:
        """Identity of a network trained on the training images of both teachers."""
        return self._identity(kind, dataset=self.dataset, steps=steps, **self._of_both())

    def teacher_of_both(self, kind: str) -> str:
        """Identity of a network trained as teachers are, on the images of both."""
        return self._teacher(kind, self._of_both())

    def records_of(self, teacher: str) -> str:
        """Identity of the activation records of the teacher of an identity."""
        return identify("activation records", RECORDS_VERSION, {"teacher": teacher})

    def of_start(self, kind: str) -> str:
        """Identity of what is made as the common initialisation; `InvalidConfig` without one."""
        return identify(kind, RECIPE_VERSION, {"initialisation": self._common_start()})

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

    def _identity(self, kind: str, **parts: object) -> str:
        schedule = self.recipe.model_dump(
            include={"network", "batch_size", "learning_rate", "weight_decay"}
        )
        if self.plugin_networks:
            parts["plugin networks"] = dict(self.plugin_networks)
        content = {**schedule, **parts, "seed": self.seed, "numerics": self.numerics}
        own = identify(kind, RECIPE_VERSION, content)
        as_provided = {**content, "numerics": _OFFICIAL_NUMERICS}
        provided = identify(kind, RECIPE_VERSION, as_provided)
        if provided not in self.official:
            return own
        # On another machine, the same recipe gives weights that differ from those provided.
        return identify(kind, RECIPE_VERSION, {**content, "anew": True}) if self.anew else provided
