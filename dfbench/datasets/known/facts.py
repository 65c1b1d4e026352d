"""What is known of a published dataset, read from its data file."""

from __future__ import annotations

import tomllib
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dfbench.class_names import composed
from dfbench.modality import Modality

Holds = Literal["sketch", "photo", "extended"]
"""What a place holds; `extended` is the added photos, mostly with the original ones."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Fact):
    """Where one layout keeps the class folders of one kind of image."""

    holds: Holds
    layout: str
    """Who keeps them there."""
    folders: tuple[str, ...]
    """Relative to the dataset's own folder or the data root; read together."""


class Obtainable(_Fact):
    """A part of a dataset and where it is to be had."""

    part: str
    where: str
    into: str
    """Where it is expected under the data root, in one of the layouts."""


class PublishedCounts(_Fact):
    """How many images there should be."""

    of: tuple[str, ...]
    """The variants this count is of."""
    modality: Modality
    total: int
    per_class: tuple[int, int] | None = None
    """The least and the most of any class."""
    source: str

    def twice(self, original: PublishedCounts) -> PublishedCounts:
        """The count where the photos that `original` counts are there a second time."""
        ranges = (self.per_class, original.per_class)
        least, most = (tuple(r[i] for r in ranges if r) for i in (0, 1))
        return self.model_copy(
            update={
                "total": self.total + original.total,
                "per_class": (sum(least), sum(most)) if all(ranges) else None,
                "source": f"{self.source}; {original.total} of them a second time",
            }
        )


class PublishedSplit(_Fact):
    """A named division into seen and unseen classes; `unseen` is written out."""

    name: str
    source: str
    unseen: tuple[str, ...]
    queries: int
    """Sketches of the unseen classes."""
    gallery: dict[str, int]
    """Photos of the unseen classes, by variant."""
    gallery_with_duplicates: dict[str, int] = {}
    """The same where the original photos are counted twice."""


class PublishedHoldout(_Fact):
    """How the literature divides the seen classes: a number of sketches a class are queries."""

    queries: int
    source: str


class Extension(_Fact):
    """How added photos are told from original ones."""

    prefix: str
    """What the file name of an added photo begins with."""


class KnownDataset(_Fact):
    """All that dfbench knows of a published dataset."""

    name: str
    title: str
    homes: tuple[str, ...]
    """Names of the dataset's own folder, spelling aside."""
    class_source: str
    classes: tuple[str, ...]
    """Sorted, in one published spelling."""
    spellings: dict[str, str]
    """Folder names that no rule leads to their class."""
    obtain: tuple[Obtainable, ...]
    place: tuple[Place, ...] = ()
    published: tuple[PublishedCounts, ...]
    published_per_class: dict[Modality, dict[str, int]] = {}
    split: tuple[PublishedSplit, ...] = ()
    holdout: PublishedHoldout | None = None
    extended: Extension | None = None
    """None for a dataset that has one set of photos only."""

    @cached_property
    def by_key(self) -> dict[str, str]:
        """The class of each key (see `class_key`)."""
        keys = {class_key(name): name for name in self.classes}
        return keys | {class_key(spelling): name for spelling, name in self.spellings.items()}

    def class_of(self, folder: str) -> str | None:
        """The class that a folder of this name holds; None if it is none.

        >>> known_dataset("tuberlin").class_of("Bear_Animal")
        'bear (animal)'
        """
        return self.by_key.get(class_key(folder))


def class_key(name: str) -> str:
    """Letters and digits of a composed name, in lower case: one for all spellings of a class.

    >>> class_key("hot-air_balloon") == class_key("Hot Air Balloon") == class_key("hotairballoon")
    True
    """
    return "".join(letter for letter in composed(name).lower() if letter.isalnum())


@cache
def known_dataset(name: str) -> KnownDataset:
    """The facts of `sketchy`, `tuberlin`, `quickdraw` or `pacs`."""
    table = _table(name)
    table["place"] = [*table.get("place", ()), *_table("layouts")["place"]]
    return KnownDataset.model_validate(table)


def _table(stem: str) -> dict[str, Any]:
    file = files("dfbench.datasets.known").joinpath(f"{stem}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
