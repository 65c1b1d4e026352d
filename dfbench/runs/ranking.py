"""From the embeddings of a fit to scores: checked, put back in order, ranked by the harness."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save

from dfbench.datasets.dataset import ImageSet
from dfbench.errors import DfbenchError, PluginFault
from dfbench.evaluation import Evaluation, evaluate
from dfbench.evaluation.metrics import random_average_precision
from dfbench.modality import MODALITIES, Modality
from dfbench.planning.plan import Plan
from dfbench.process.folder import embeddings_file
from dfbench.process.handover import TestImages
from dfbench.records.per_query import per_query_file, write_per_query
from dfbench.scenarios.classes import ScenarioClasses
from dfbench.system.files import atomic_path

Embeddings = dict[Modality, NDArray[np.float32]]


@dataclass(frozen=True)
class Ranking:
    """One representation's scores."""

    evaluation: Evaluation
    digest: str
    """Hash of the embeddings, in the dataset's order."""


def read_embeddings(
    folder: Path, representation: str, images: TestImages, label: str
) -> Embeddings:
    """The embeddings of a representation in the dataset's order.

    Raises `PluginFault`, naming the method, if they are not finite floats `[N, D]` of one width.
    """
    stored = load(embeddings_file(folder, representation).read_bytes())
    widths = set()
    restored: Embeddings = {}
    for modality in MODALITIES:
        rows = stored[modality]
        fault = _fault(rows, len(images.orders[modality]))
        if fault:
            raise PluginFault(f"method {label!r}: its {modality} embeddings {fault}; not scored")
        widths.add(rows.shape[1])
        restored[modality] = images.restored(modality, rows.astype(np.float32))
    if len(widths) > 1:
        raise PluginFault(
            f"method {label!r}: photo and sketch embeddings differ in width: "
            f"{sorted(widths)}; allowed: one width D"
        )
    return restored


def keep_by_knowledge(
    folder: Path,
    representation: str,
    images: TestImages,
    division: ScenarioClasses | None,
    label: str,
) -> None:
    """Keep one of the two embeddings that are stored for each image of a representation.

    Of `[N, 2 D]`, the first D are kept if the teacher of the modality knows the image's class, else
    the last D; for methods that declared `Need.KNOWN_CLASS_ORACLE`. Raises `PluginFault`, naming
    the method, for an odd width.
    """
    file = embeddings_file(folder, representation)
    stored = load(file.read_bytes())
    for modality in MODALITIES:
        rows, order = stored[modality], images.orders[modality]
        if rows.ndim != 2 or len(rows) != len(order) or rows.shape[1] % 2:
            raise PluginFault(
                f"method {label!r}: its {modality} embeddings have shape {list(rows.shape)}; "
                f"allowed: [{len(order)}, 2 D], as setting.by_knowledge() makes them"
            )
        known = _known(images.sets[modality], division, modality)[order]
        halves = rows.reshape(len(rows), 2, -1)
        stored[modality] = np.ascontiguousarray(halves[np.arange(len(rows)), np.where(known, 0, 1)])
    with atomic_path(file) as temporary:
        temporary.write_bytes(save(stored))


def _known(
    images: ImageSet, division: ScenarioClasses | None, modality: Modality
) -> NDArray[np.bool_]:
    """`[N]`, whether the teacher of a modality knows each image's class."""
    if division is None:
        return np.ones(len(images), np.bool_)
    known = [name in division.known(modality) for name in images.classes]
    return np.array(known, np.bool_)[images.labels]


def rank(
    plan: Plan,
    images: TestImages,
    embeddings: Embeddings,
    similarity: str,
    representation: str,
) -> Ranking:
    """Score a representation; per-query values are stored as `per_query.npz` in the run's folder.

    Raises `PluginFault`, naming the method, if the embeddings or their similarity are invalid.
    """
    session, label = plan.session, plan.method.label
    queries, gallery = images.sets["sketch"], images.sets["photo"]
    try:
        evaluation = evaluate(
            embeddings["sketch"],
            embeddings["photo"],
            queries.labels,
            gallery.labels,
            similarity=similarity,
            device=str(session.device),
            seed=session.request.seed,
            groups=query_groups(session.division, queries),
        )
    except DfbenchError as fault:
        raise PluginFault(f"method {label!r}: its embeddings cannot be ranked: {fault}") from fault
    write_per_query(per_query_file(plan.folder, representation), evaluation.per_query)
    return Ranking(evaluation, embeddings_digest(embeddings))


def query_groups(
    division: ScenarioClasses | None, queries: ImageSet
) -> dict[str, NDArray[np.bool_]]:
    """`[Q]`, by group of a class split, which queries belong to its classes."""
    groups = {} if division is None else division.groups
    return {
        name: np.isin(queries.labels, [queries.classes.index(c) for c in classes])
        for name, classes in groups.items()
    }


def chance_levels(
    queries: ImageSet, gallery: ImageSet, division: ScenarioClasses | None
) -> dict[str, float]:
    """Expected `map@all` of a random order.

    Of all queries under the empty name, and of each group of a division that has queries. Queries
    without a relevant photo are left out, as by `evaluate`.
    """
    relevant = np.bincount(gallery.labels, minlength=len(queries.classes))[queries.labels]
    values = random_average_precision(torch.from_numpy(relevant), len(gallery)).numpy()
    masks = {"": np.ones(len(queries), np.bool_), **query_groups(division, queries)}
    scored = {name: mask & (relevant > 0) for name, mask in masks.items()}
    return {name: float(values[mask].mean()) for name, mask in scored.items() if mask.any()}


def embeddings_digest(embeddings: Embeddings) -> str:
    """BLAKE2 digest of the embeddings of both modalities, in the dataset's order."""
    digest = blake2b(digest_size=16)
    for modality in MODALITIES:
        digest.update(np.ascontiguousarray(embeddings[modality]).tobytes())
    return digest.hexdigest()


def _fault(rows: NDArray[np.generic], count: int) -> str | None:
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1]:
        return f"have shape {list(rows.shape)}; allowed: [{count}, D]"
    if not np.issubdtype(rows.dtype, np.floating):
        return f"are {rows.dtype}; allowed: floating point"
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        return f"are not finite (NaN or infinite) for {int((~finite).sum())} of {count} images"
    return None
