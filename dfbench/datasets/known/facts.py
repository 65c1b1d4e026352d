"""Facts about a published dataset, read from its data file."""

from __future__ import annotations

import tomllib
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dfbench.class_names import composed
from dfbench.modality import Modality

Holds = Literal["sketch", "photo", "extended"]
"""The kind of image in a place; `extended`: the added photos, usually with the original ones."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Fact):
    """The location of the class folders of one kind of image in one layout."""

    holds: Holds
    layout: str
    """Repositories that use this layout."""
    folders: tuple[str, ...]
    """Relative to the dataset's own folder or the data root; their images are combined."""


class Obtainable(_Fact):
    """A part of a dataset and where to download it."""

    part: str
    where: str
    into: str
    """Its expected location under the data root, in one of the layouts."""


class PublishedCounts(_Fact):
    """Published numbers of images."""

    of: tuple[str, ...]
    """The variants to which this count applies."""
    modality: Modality
    total: int
    per_class: tuple[int, int] | None = None
    """Minimum and maximum per class."""
    source: str

    def twice(self, original: PublishedCounts) -> PublishedCounts:
        """The count if the photos in `original` are counted twice."""
        ranges = (self.per_class, original.per_class)
        least, most = (tuple(r[i] for r in ranges if r) for i in (0, 1))
        return self.model_copy(
            update={
                "total": self.total + original.total,
                "per_class": (sum(least), sum(most)) if all(ranges) else None,
                "source": f"{self.source}; {original.total} of them counted twice",
            }
        )


class PublishedSplit(_Fact):
    """A named split into seen and unseen classes, defined by its unseen classes."""

    name: str
    source: str
    unseen: tuple[str, ...]
    queries: int
    """Sketches of the unseen classes."""
    gallery: dict[str, int]
    """Photos of the unseen classes, by variant."""
    gallery_with_duplicates: dict[str, int] = {}
    """The same if the original photos are counted twice."""


class PublishedHoldout(_Fact):
    """The literature's hold-out for seen classes: a number of query sketches per class."""

    queries: int
    source: str


class Extension(_Fact):
    """Distinguishes added photos from original ones."""

    prefix: str
    """Prefix of the file names of added photos."""


class KnownDataset(_Fact):
    """All facts about a published dataset."""

    name: str
    title: str
    homes: tuple[str, ...]
    """Names of the dataset's own folder, in any spelling."""
    class_source: str
    classes: tuple[str, ...]
    """Sorted, in one published spelling."""
    spellings: dict[str, str]
    """Classes of folder names that no spelling rule covers."""
    obtain: tuple[Obtainable, ...]
    place: tuple[Place, ...] = ()
    published: tuple[PublishedCounts, ...]
    published_per_class: dict[Modality, dict[str, int]] = {}
    split: tuple[PublishedSplit, ...] = ()
    holdout: PublishedHoldout | None = None
    extended: Extension | None = None
    """None for a dataset with a single set of photos."""

    @cached_property
    def by_key(self) -> dict[str, str]:
        """The class of each key (see `class_key`)."""
        keys = {class_key(name): name for name in self.classes}
        return keys | {class_key(spelling): name for spelling, name in self.spellings.items()}

    def class_of(self, folder: str) -> str | None:
        """The class of a folder with this name; None if it is not a class.

        >>> known_dataset("tuberlin").class_of("Bear_Animal")
        'bear (animal)'
        """
        return self.by_key.get(class_key(folder))


def class_key(name: str) -> str:
    """Letters and digits of a composed name, in lower case: equal for all spellings of a class.

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
