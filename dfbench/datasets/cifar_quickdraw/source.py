"""Where CIFAR-10 and Quick, Draw! are to be had, and which of their classes are the same."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

NAME = "cifar-quickdraw"
"""What `--dataset` takes, and the folder that the files lie in."""
SIDE = 28
"""Pixels to a side of a drawing."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhotoArchive(_Fact):
    """The archive of CIFAR-10 in its Python version."""

    url: str
    md5: str
    """Of the whole archive, in hex."""
    length: int
    """In bytes."""
    source: str


class Drawings(_Fact):
    """The bitmaps of Quick, Draw!."""

    url: str
    """Of the folder that holds a file `<category>.npy` for each category."""
    count: int
    """Drawings of a category that are used: the first ones of its file."""
    source: str


class SharedClass(_Fact):
    """A class of both."""

    name: str
    """CIFAR-10's."""
    label: int
    """Its number in CIFAR-10."""
    category: str
    """Quick, Draw!'s name of it."""


class PublishedSource(_Fact):
    """All of it; a file beside this module, other ones in tests."""

    photos: PhotoArchive
    drawings: Drawings
    classes: tuple[SharedClass, ...] = Field(alias="class")

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, sorted."""
        return tuple(sorted(shared.name for shared in self.classes))

    def shared(self, name: str) -> SharedClass:
        """The class of this name, which has to be one."""
        return next(shared for shared in self.classes if shared.name == name)

    def archive(self, home: Path) -> Path:
        """Where the photos are expected."""
        return home / self.photos.url.rpartition("/")[2]

    def bitmaps(self, home: Path, shared: SharedClass) -> Path:
        """Where the drawings of a class are expected."""
        return home / f"{shared.category}.npy"

    def address(self, shared: SharedClass) -> str:
        """Where the drawings of a class are published."""
        return f"{self.drawings.url}/{quote(shared.category)}.npy"


@cache
def published() -> PublishedSource:
    """The source that comes with dfbench."""
    file = files("dfbench.datasets.cifar_quickdraw").joinpath("source.toml")
    return PublishedSource.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


def home_folder(root: Path | None, cache: Path) -> Path:
    """The folder of the files: in the data root `root` or in the image cache `cache`.

    Whichever is there, the data root first; if neither is, the data root where one is given.
    """
    places = [place / NAME for place in (root, cache) if place is not None]
    return next((place for place in places if place.is_dir()), places[0])
