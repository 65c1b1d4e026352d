"""Pictures of a run's page: those drawn by its method, and retrievals from best to worst."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from dfbench.modality import MODALITIES
from dfbench.records.record import Record
from dfbench.records.showcase import STANDINGS, Showcase
from dfbench.reporting.site.thumbnails import Thumbnail, Thumbnails

_OBSERVERS = ("teacher", "student")
_NAMED = 3
"""Number of likeliest classes shown on a page."""
_UNKNOWN = "Drawn by the method, without a caption."


@dataclass(frozen=True)
class PairLine:
    """One generated pair, with the classes predicted for each image."""

    seen: dict[str, dict[str, str]]
    """By modality and network, the likeliest classes in percent."""


@dataclass(frozen=True)
class PictureView:
    """A picture, or numbers without a picture, as shown on a page."""

    name: str
    title: str
    caption: str
    picture: Thumbnail | None = None
    pairs: tuple[PairLine, ...] = ()
    """Line i of the picture is pair i: the photo in the left cell, the sketch in the right."""
    counts: Mapping[str, Mapping[str, float]] | None = None
    """By class, a number per modality."""


def view(
    name: str, picture: Path | None, numbers: Path | None, shelf: Thumbnails
) -> PictureView | None:
    """A picture and the numbers of the same name; None for numbers that cannot be displayed.

    Raises `OSError`, `ValueError` or Pillow's `DecompressionBombError` for unreadable files.
    """
    content: Any = json.loads(numbers.read_bytes()) if numbers else None
    counts = _by_class(content) if _are_counts(content) else None
    title, caption = _words(name)
    if picture is None:
        return PictureView(name, title, caption, counts=counts) if counts else None
    with Image.open(picture) as sheet:
        if _are_pairs(content) and sheet.height % len(content) == 0:
            cells = _cells_alone(sheet, len(content))
            return PictureView(name, title, caption, shelf.add(cells), tuple(map(_line, content)))
        return PictureView(name, title, caption, shelf.add(sheet), counts=counts)


def _cells_alone(sheet: Image.Image, lines: int) -> Image.Image:
    """The square at the left of each half of each line, without the text next to it."""
    side, half = sheet.height // lines, sheet.width // 2
    cells = Image.new("RGB", (2 * side, sheet.height))
    for column in range(2):
        left = column * half
        cells.paste(sheet.crop((left, 0, left + side, sheet.height)), (column * side, 0))
    return cells


def _line(content: Mapping[str, Mapping[str, Mapping[str, float]]]) -> PairLine:
    return PairLine(
        {
            modality: {who: _likeliest(content[modality][who]) for who in _OBSERVERS}
            for modality in MODALITIES
        }
    )


def _likeliest(shares: Mapping[str, float]) -> str:
    names = sorted(shares, key=lambda name: -shares[name])[:_NAMED]
    return ", ".join(f"{name} {shares[name]:.0f}" for name in names)


def _are_pairs(content: Any) -> bool:
    """Whether the content is a list of pairs: percentages of classes by modality and network."""
    return isinstance(content, list) and bool(content) and all(map(_is_pair, content))


def _is_pair(line: Any) -> bool:
    if not isinstance(line, dict):
        return False
    seen: list[Any] = [line.get(modality) for modality in MODALITIES]
    return all(isinstance(one, dict) for one in seen) and all(
        _are_numbers(one.get(who)) for one in seen for who in _OBSERVERS
    )


def _are_counts(content: Any) -> bool:
    """Whether the content is, by modality, one number per class."""
    return (
        isinstance(content, dict)
        and set(content) == set(MODALITIES)
        and all(_are_numbers(counts) for counts in content.values())
    )


def _are_numbers(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(value, int | float) for value in content.values()
    )


def _by_class(content: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    names = dict.fromkeys(name for counts in content.values() for name in counts)
    return {name: {m: content[m].get(name, 0) for m in MODALITIES} for name in names}


def _words(name: str) -> tuple[str, str]:
    """Title and caption of a picture; for a plugin's own picture, its name."""
    words = _captions().get(name)
    title = name.replace("-", " ").replace("_", " ").capitalize()
    return (words["title"], words["caption"]) if words else (title, _UNKNOWN)


@cache
def _captions() -> dict[str, dict[str, str]]:
    text = (files("dfbench_benchmarks") / "pictures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True)
class Photo:
    """A retrieved photo."""

    name: str
    """Its class."""
    hit: bool


@dataclass(frozen=True)
class Retrieval:
    """A query and its best photos; `line` is its line of the sheet."""

    line: int
    query: int
    name: str
    """The query's class."""
    average_precision: float
    photos: tuple[Photo, ...]

    @property
    def hits(self) -> int:
        """Number of photos of the query's class."""
        return sum(photo.hit for photo in self.photos)


@dataclass(frozen=True)
class ShownRetrievals:
    """The retrievals shown on a page."""

    sheet: Thumbnail
    columns: int
    lines: int
    by_standing: dict[str, list[Retrieval]]


def gallery(showcase: Showcase, sheet: Path, record: Record, shelf: Thumbnails) -> ShownRetrievals:
    """The retrievals of a showcase. Raises `OSError` for an unreadable sheet."""
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
    return ShownRetrievals(shown, showcase.columns, len(showcase.queries), by_standing)
