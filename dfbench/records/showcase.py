"""The showcase of a run: its best, median and worst queries with photos, and confused classes.

It does not affect scores. Thumbnails show the user's images, so they stay in the run's folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from dfbench.datasets.dataset import ImageSet
from dfbench.modality import Modality
from dfbench.process.folder import OUTCOME_FILE, embeddings_file
from dfbench.records.per_query import per_query_file
from dfbench.system.files import atomic_path

SHOWCASE_FOLDER = "showcase"
"""In a run's folder; contains the next three files."""
QUERIES_FILE = "queries.json"
SHEET_FILE = "queries.jpg"
CONFUSION_FILE = "confusion.npz"
PHOTOS = 10
"""Photos shown per query."""
COUNTED = 200
"""Maximum number of queries per class that count towards confusions."""
Standing = Literal["best", "median", "worst"]
STANDINGS: tuple[Standing, ...] = get_args(Standing)
_EACH = 3
"""Queries of each standing."""
_MOST_PIXELS = 64
_QUALITY = 88


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShownQuery(_Part):
    """A query and its best photos; labels are indices into the classes of the record."""

    standing: Standing
    query: int
    """Its place in the dataset's order."""
    label: int
    average_precision: float
    photo_labels: tuple[int, ...]
    """Best first."""


class Showcase(_Part):
    """The queries of a sheet whose line i is query i, then its photos, in square cells."""

    schema_version: Literal[1] = 1
    queries: tuple[ShownQuery, ...]
    columns: int
    """Cells per line."""


def chosen_queries(
    average_precision: NDArray[np.float64], labels: NDArray[np.int64]
) -> list[tuple[Standing, int]]:
    """The best, the median and the worst queries by AP `[Q]`, of different classes where possible.

    Queries without photos (NaN) are excluded, and no query is chosen twice.
    """
    order = np.argsort(-average_precision, kind="stable")
    ranked = [int(query) for query in order if not np.isnan(average_precision[query])]
    middle = (len(ranked) - 1) / 2
    central = sorted(range(len(ranked)), key=lambda place: abs(place - middle))
    sides = {"best": ranked, "worst": ranked[::-1], "median": [ranked[i] for i in central]}
    taken: set[int] = set()
    found: dict[Standing, list[int]] = {}
    for standing in STANDINGS:
        free = [query for query in sides[standing] if query not in taken]
        found[standing] = _of_many_classes(free, labels)
        taken.update(found[standing])
    return [(standing, query) for standing in STANDINGS for query in found[standing]]


def _of_many_classes(ranked: Sequence[int], labels: NDArray[np.int64]) -> list[int]:
    """The first few, one per class; several of a class only if there are too few classes."""
    firsts: dict[int, int] = {}
    for query in ranked:
        firsts.setdefault(int(labels[query]), query)
        if len(firsts) == _EACH:
            break
    others = [query for query in ranked[:_EACH] if query not in firsts.values()]
    kept = set([*firsts.values(), *others][:_EACH])
    return [query for query in ranked if query in kept]


def save_showcase(
    folder: Path,
    images: Mapping[Modality, ImageSet],
    average_precision: NDArray[np.float64],
    chosen: Sequence[tuple[Standing, int]],
    top: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> None:
    """Write the three files into a run's folder; the one that marks them complete comes last.

    `top` `[len(chosen), k]` holds indices of test photos, best first; `shares` `[C, C]` is of
    `dfbench.evaluation.top`.
    """
    queries, gallery = images["sketch"], images["photo"]
    target = folder / SHOWCASE_FOLDER
    with atomic_path(target / CONFUSION_FILE) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, shares=shares.astype(np.float32))
    lines = [
        [_thumbnail(queries, query), *(_thumbnail(gallery, int(photo)) for photo in best)]
        for (_, query), best in zip(chosen, top, strict=True)
    ]
    with atomic_path(target / SHEET_FILE) as temporary:
        _sheet(lines).save(temporary, format="JPEG", quality=_QUALITY)
    showcase = Showcase(
        columns=1 + top.shape[1],
        queries=tuple(
            ShownQuery(
                standing=standing,
                query=query,
                label=int(queries.labels[query]),
                average_precision=round(float(average_precision[query]), 6),
                photo_labels=tuple(int(gallery.labels[photo]) for photo in best),
            )
            for (standing, query), best in zip(chosen, top, strict=True)
        ),
    )
    with atomic_path(target / QUERIES_FILE) as temporary:
        temporary.write_text(showcase.model_dump_json(indent=1) + "\n", encoding="utf-8")


def lacks_showcase(folder: Path) -> bool:
    """Whether a run's folder has no showcase but all files to make one from."""
    parts = (folder / OUTCOME_FILE, embeddings_file(folder, ""), per_query_file(folder))
    made = (folder / SHOWCASE_FOLDER / QUERIES_FILE).is_file()
    return not made and all(part.is_file() for part in parts)


def read_showcase(folder: Path) -> Showcase:
    """The showcase in a run's folder. Raises `OSError`, or `ValueError` if it is incomplete."""
    return Showcase.model_validate_json((folder / SHOWCASE_FOLDER / QUERIES_FILE).read_bytes())


def read_confusion(folder: Path) -> NDArray[np.float32]:
    """The confusions `[C, C]` in a run's folder.

    Raises `OSError`, `KeyError`, `ValueError` or `BadZipFile`.
    """
    file = folder / SHOWCASE_FOLDER / CONFUSION_FILE
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
        return np.asarray(stored["shares"], np.float32)


def _thumbnail(images: ImageSet, index: int) -> Image.Image:
    pixels = np.broadcast_to(images.images[index], (3, *images.images.shape[2:]))
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    size = min(_MOST_PIXELS, max(picture.size))
    return picture.resize((size, size), Image.Resampling.BILINEAR)


def _sheet(lines: Sequence[Sequence[Image.Image]]) -> Image.Image:
    size = lines[0][0].width
    sheet = Image.new("RGB", (size * len(lines[0]), size * len(lines)))
    for y, line in enumerate(lines):
        for x, cell in enumerate(line):
            sheet.paste(cell, (x * size, y * size))
    return sheet
