"""The best, median and worst queries of a run with what it retrieved for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dfbench.reporting.site.thumbnails import Thumbnail, Thumbnails
from dfbench.runs.record import Record
from dfbench.runs.showcase import STANDINGS, Showcase


@dataclass(frozen=True)
class Photo:
    """A retrieved photo."""

    name: str
    """Its class."""
    hit: bool


@dataclass(frozen=True)
class Retrieval:
    """A query and its best photos; the line of the sheet that shows them."""

    line: int
    query: int
    name: str
    """The query's class."""
    average_precision: float
    photos: tuple[Photo, ...]

    @property
    def hits(self) -> int:
        """Photos of the query's class."""
        return sum(photo.hit for photo in self.photos)


@dataclass(frozen=True)
class Gallery:
    """What a page shows of a showcase."""

    sheet: Thumbnail
    columns: int
    lines: int
    by_standing: dict[str, list[Retrieval]]


def gallery(showcase: Showcase, sheet: Path, record: Record, shelf: Thumbnails) -> Gallery:
    """Raises `OSError` for a sheet that cannot be read."""
    with Image.open(sheet) as picture:
        shown = shelf.add(picture)
    found: dict[str, list[Retrieval]] = {name: [] for name in STANDINGS}
    classes = record.data.classes
    for line, query in enumerate(showcase.queries):
        photos = tuple(Photo(classes[c], c == query.label) for c in query.photo_labels)
        name = classes[query.label]
        found[query.standing].append(
            Retrieval(line, query.query, name, query.average_precision, photos)
        )
    by_standing = {name: retrievals for name, retrievals in found.items() if retrievals}
    return Gallery(shown, showcase.columns, len(showcase.queries), by_standing)
