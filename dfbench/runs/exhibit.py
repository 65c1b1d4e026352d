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
from dfbench.evaluation import top_k
from dfbench.evaluation.top import class_shares
from dfbench.modality import Modality
from dfbench.planning.plan import Plan
from dfbench.process.messages import OUTCOME_FILE, Outcome
from dfbench.process.test_images import LABELS_FILE, TestImages
from dfbench.records.record import Record
from dfbench.records.showcase import COUNTED, PHOTOS, VALUES_FILE, chosen_queries, save_showcase
from dfbench.runs.ranking import Embeddings, embeddings_digest, read_embeddings
from dfbench.system.console import note
from dfbench.system.files import atomic_path

_CELL = 64
_BORDER = 3
_LABEL_WIDTH = 96
_HIT, _MISS = (20, 140, 60), (200, 50, 40)
_ROWS = 20


def save_retrievals(
    target: Path, images: Mapping[Modality, ImageSet], top: NDArray[np.int64]
) -> None:
    """Draw one query a class with its best photos, framed green where the class is right, as PNG.

    `top` `[Q, k]` holds indices of test photos, best first. The query of a class is its first.
    """
    queries, gallery = images["sketch"], images["photo"]
    rows = [int(np.flatnonzero(queries.labels == c)[0]) for c in np.unique(queries.labels)][:_ROWS]
    width = _LABEL_WIDTH + (top.shape[1] + 1) * _CELL
    sheet = Image.new("RGB", (width, len(rows) * _CELL), "white")
    draw = ImageDraw.Draw(sheet)
    for line, query in enumerate(rows):
        y = line * _CELL
        draw.text((4, y + _CELL // 3), queries.classes[queries.labels[query]], fill="black")
        sheet.paste(_cell(queries, query, None), (_LABEL_WIDTH, y))
        for place, photo in enumerate(top[query], start=1):
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
    """Leave a showcase in the folder of a run whose headline ranks by these embeddings.

    `average_precision` `[Q]` is in the dataset's order.
    """
    queries, gallery = images.sets["sketch"], images.sets["photo"]
    chosen = chosen_queries(average_precision, queries.labels)
    if not chosen:
        return
    rows, device = embeddings["sketch"], str(plan.session.device)
    top = top_k(
        rows[[query for _, query in chosen]],
        embeddings["photo"],
        min(PHOTOS, len(gallery)),
        similarity=similarity,
        device=device,
    )
    counted = _first_of_each_class(queries.labels)
    shares = class_shares(
        rows[counted],
        embeddings["photo"],
        queries.labels[counted],
        gallery.labels,
        len(queries.classes),
        similarity=similarity,
        device=device,
    )
    save_showcase(plan.folder, images.sets, average_precision, chosen, top, shares)


def exhibit_later(plan: Plan, record: Record) -> None:
    """Make the showcase of a finished run whose folder lacks it; what is in the way is said."""
    folder, label = plan.folder, plan.method.label
    try:
        facts = Outcome.model_validate_json((folder / OUTCOME_FILE).read_bytes()).facts
        if facts is None:
            raise ValueError("its outcome is a fault")
        with (folder / VALUES_FILE).open("rb") as file, np.load(file) as stored:
            average_precision = stored[_METRIC]
        images = _in_its_order(plan)
        embeddings = read_embeddings(folder, "", images, label)
        if embeddings_digest(embeddings) != record.digests.embeddings:
            raise ValueError("the order of its test images was not kept")
        images.save_labels(folder)
        exhibit(plan, images, embeddings, facts.similarities[""], average_precision)
    except (DfbenchError, OSError, KeyError, ValueError, BadZipFile, SafetensorError) as fault:
        note(f"{label}: best and worst queries cannot be shown ({fault}); --force repeats the run")
    else:
        note(f"{label}: best and worst queries and confused classes are kept now ({folder})")


def _in_its_order(plan: Plan) -> TestImages:
    """The test images in the order of the embeddings that a run left."""
    sets = plan.session.test_images()
    if (plan.folder / LABELS_FILE).is_file():
        return TestImages.stored(sets, plan.folder)
    return TestImages.of_identity(sets, plan.computation)


def _first_of_each_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the first queries of each class, ascending."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order], side="left")
    return np.sort(order[np.arange(len(order)) - starts < COUNTED])
