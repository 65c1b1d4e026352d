"""Making what a run keeps to be looked at, when it is scored or later from what it left."""

from __future__ import annotations

from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from dfbench.console import note
from dfbench.errors import DfbenchError
from dfbench.evaluation import top_k
from dfbench.evaluation.confusion import class_shares
from dfbench.runs.job import OUTCOME_FILE, Outcome
from dfbench.runs.plan import Plan
from dfbench.runs.ranking import Embeddings, embeddings_digest, read_embeddings
from dfbench.runs.record import Record
from dfbench.runs.showcase import COUNTED, PHOTOS, VALUES_FILE, chosen_queries, save_showcase
from dfbench.runs.test_images import LABELS_FILE, TestImages

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
    folder, label = plan.folder, plan.row.label
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
