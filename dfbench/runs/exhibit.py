"""Pictures and per-query results that a run keeps: retrievals, confusions, curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors import SafetensorError

from dfbench.datasets.dataset import ImageSet
from dfbench.errors import DfbenchError
from dfbench.evaluation.top import retrieve
from dfbench.modality import Modality
from dfbench.planning.plan import Plan
from dfbench.process.folder import OUTCOME_FILE
from dfbench.process.handover import LABELS_FILE, TestImages
from dfbench.process.messages import Outcome
from dfbench.records.per_query import per_query_file
from dfbench.records.record import Record
from dfbench.records.showcase import COUNTED, PHOTOS, chosen_queries, save_showcase
from dfbench.runs.ranking import Embeddings, embeddings_digest, read_embeddings
from dfbench.system.console import note
from dfbench.system.files import atomic_path

_CELL = 64
_BORDER = 3
_LABEL_WIDTH = 96
_HIT, _MISS = (20, 140, 60), (200, 50, 40)
_ROWS = 20
RETRIEVALS_FILE = "pictures/retrievals.png"
"""In a run's folder."""


def save_retrievals(
    target: Path,
    images: Mapping[Modality, ImageSet],
    rows: NDArray[np.int64],
    top: NDArray[np.int64],
) -> None:
    """Draw queries with their best photos, framed green where the class is right, as PNG.

    `rows` `[Q]` are places of test sketches; `top` `[Q, k]` holds indices of test photos, best
    first.
    """
    queries, gallery = images["sketch"], images["photo"]
    width = _LABEL_WIDTH + (top.shape[1] + 1) * _CELL
    sheet = Image.new("RGB", (width, len(rows) * _CELL), "white")
    draw = ImageDraw.Draw(sheet)
    for line, query in enumerate(rows):
        y = line * _CELL
        draw.text((4, y + _CELL // 3), queries.classes[queries.labels[query]], fill="black")
        sheet.paste(_cell(queries, query, None), (_LABEL_WIDTH, y))
        for place, photo in enumerate(top[line], start=1):
            hit = gallery.labels[photo] == queries.labels[query]
            cell = _cell(gallery, int(photo), _HIT if hit else _MISS)
            sheet.paste(cell, (_LABEL_WIDTH + place * _CELL, y))
    with atomic_path(target) as temporary:
        sheet.save(temporary, format="PNG")


def _cell(images: ImageSet, index: int, frame: tuple[int, int, int] | None) -> Image.Image:
    pixels = np.broadcast_to(images.images[index], (3, *images.images.shape[2:]))
    inner = _CELL - 2 * _BORDER
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    cell = Image.new("RGB", (_CELL, _CELL), frame or "white")
    cell.paste(picture.resize((inner, inner), Image.Resampling.NEAREST), (_BORDER, _BORDER))
    return cell


_METRIC = "map@all"


def exhibit(
    plan: Plan,
    images: TestImages,
    embeddings: Embeddings,
    similarity: str,
    average_precision: NDArray[np.float64],
) -> None:
    """Leave pictures and a showcase in the folder of a run whose headline ranks by these.

    `average_precision` `[Q]` is in the dataset's order. The photos are ranked once, for the
    queries that are shown or counted.
    """
    queries, gallery = images.sets["sketch"], images.sets["photo"]
    chosen = chosen_queries(average_precision, queries.labels)
    if not chosen:
        return
    firsts = np.unique(queries.labels, return_index=True)[1][:_ROWS]
    counted = _first_of_each_class(queries.labels)
    shown = np.array([query for _, query in chosen])
    rows = np.union1d(counted, shown)
    found = retrieve(
        embeddings["sketch"][rows],
        embeddings["photo"],
        queries.labels[rows],
        gallery.labels,
        len(queries.classes),
        min(PHOTOS, len(gallery)),
        np.isin(rows, counted),
        similarity=similarity,
        device=str(plan.session.device),
    )
    target = plan.folder / RETRIEVALS_FILE
    save_retrievals(target, images.sets, firsts, found.top[np.searchsorted(rows, firsts)])
    top = found.top[np.searchsorted(rows, shown)]
    save_showcase(plan.folder, images.sets, average_precision, chosen, top, found.shares)


def exhibit_later(plan: Plan, record: Record) -> None:
    """Make the showcase of a finished run whose folder lacks it; a note gives any obstacle."""
    folder, label = plan.folder, plan.method.label
    try:
        facts = Outcome.model_validate_json((folder / OUTCOME_FILE).read_bytes()).facts
        if facts is None:
            raise ValueError("its outcome is an error")
        with per_query_file(folder).open("rb") as file, np.load(file) as stored:
            average_precision = stored[_METRIC]
        images = stored_images(plan, folder)
        embeddings = read_embeddings(folder, "", images, label)
        if embeddings_digest(embeddings) != record.digests.embeddings:
            raise ValueError("the order of its test images was not stored")
        images.save_labels(folder)
        exhibit(plan, images, embeddings, facts.similarities[""], average_precision)
    except (DfbenchError, OSError, KeyError, ValueError, BadZipFile, SafetensorError) as fault:
        note(f"{label}: best and worst queries cannot be shown ({fault}); --force repeats the run")
    else:
        note(f"{label}: best and worst queries and confused classes are now stored ({folder})")


def stored_images(plan: Plan, folder: Path) -> TestImages:
    """The test images in the order of the embeddings stored in a run's folder.

    Raises like `TestImages.stored`.
    """
    sets = plan.session.test_images()
    if (folder / LABELS_FILE).is_file():
        return TestImages.stored(sets, folder)
    return TestImages.of_identity(sets, plan.computation)


def _first_of_each_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the first queries of each class, ascending."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order], side="left")
    return np.sort(order[np.arange(len(order)) - starts < COUNTED])
