"""Download locations of CIFAR-10 and Quick, Draw!, and the classes they share."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

NAME = "cifar-quickdraw"
"""The dataset's `--dataset` name and the name of its folder."""
SIDE = 28
"""Height and width of drawings in pixels."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhotoArchive(_Fact):
    """The CIFAR-10 archive, Python version."""

    url: str
    md5: str
    """Of the whole archive, in hex."""
    length: int
    """In bytes."""
    source: str


class Drawings(_Fact):
    """The bitmaps of Quick, Draw!."""

    url: str
    """URL of the folder with one file `<category>.npy` per category."""
    count: int
    """Number of drawings used per category: the first ones of its file."""
    source: str


class SharedClass(_Fact):
    """A class of both datasets."""

    name: str
    """Its name in CIFAR-10."""
    label: int
    """Its label in CIFAR-10."""
    category: str
    """Its name in Quick, Draw!."""


class PublishedSource(_Fact):
    """Both datasets and their shared classes; read from `source.toml`."""

    photos: PhotoArchive
    drawings: Drawings
    classes: tuple[SharedClass, ...] = Field(alias="class")

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, sorted."""
        return tuple(sorted(shared.name for shared in self.classes))

    def shared(self, name: str) -> SharedClass:
        """The class of this name, which must exist."""
        return next(shared for shared in self.classes if shared.name == name)

    def archive(self, home: Path) -> Path:
        """The file of the photos."""
        return home / self.photos.url.rpartition("/")[2]

    def bitmaps(self, home: Path, shared: SharedClass) -> Path:
        """The file of a class's drawings."""
        return home / f"{shared.category}.npy"

    def address(self, shared: SharedClass) -> str:
        """The URL of a class's drawings."""
        return f"{self.drawings.url}/{quote(shared.category)}.npy"


@cache
def published() -> PublishedSource:
    """The source packaged with dfbench."""
    file = files("dfbench.datasets.cifar_quickdraw").joinpath("source.toml")
    return PublishedSource.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


def home_folder(root: Path | None, cache: Path) -> Path:
    """The folder of the files, in the data root `root` or in the image cache `cache`.

    The first of them that exists; if neither does, the one in the data root, or in the cache if
    `root` is None.
    """
    places = [place / NAME for place in (root, cache) if place is not None]
    return next((place for place in places if place.is_dir()), places[0])
