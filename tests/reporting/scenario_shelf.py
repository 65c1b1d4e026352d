"""Records of partial class overlap, and run folders with embeddings, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from shelf import Shelf
from synthetic import synthetic_record

from dfbench.process.folder import OUTCOME_FILE
from dfbench.process.handover import LABELS_FILE
from dfbench.process.messages import FitFacts, Outcome
from dfbench.records.record import Division, QueryGroup, Record, RecordedScore
from dfbench.records.store import ResultStore

UNION = 10


def add_overlap(
    shelf: Shelf, label: str, overlap: float, value: float, *, seed: int = 0, **more: object
) -> Record:
    """A record at an overlap: shared queries score .1 more than all, the others .3 less."""
    count = round(overlap * UNION)
    names = tuple(f"c{number}" for number in range(UNION))
    record = synthetic_record(
        label,
        value=value,
        posterior=value,
        seed=seed,
        scenario=f"overlap={overlap}",
        **more,  # type: ignore[arg-type]  # whatever a record has
    )
    groups = {"shared": _group(record, value + 0.1)}
    if overlap < 1:
        groups |= {name: _group(record, value - 0.3) for name in ("photo-only", "sketch-only")}
    division = Division(
        overlap=count / UNION,
        shared=names[:count],
        photo_only=names[count::2],
        sketch_only=names[count + 1 :: 2],
        unseen=(),
    )
    record = record.model_copy(update={"division": division, "groups": groups})
    ResultStore(shelf.results).write(record)
    return record


def _group(record: Record, value: float) -> QueryGroup:
    score = RecordedScore(value=value, low=value - 0.02, high=value + 0.03, macro=value)
    scores = dict.fromkeys(record.metrics, score)
    return QueryGroup(queries=5, chance=0.2, metrics=scores, representations={"posterior": scores})


def embed(shelf: Shelf, record: Record, *, classes: int = 2) -> Path:
    """Embeddings in the run's folder: ten sketches and twenty photos, class by class alike.

    The first sketch looks like one of the second class.
    """
    folder = shelf.folder(record)
    folder.mkdir(parents=True, exist_ok=True)
    labels = {"sketch": np.arange(10) % classes, "photo": np.arange(20) % classes}
    rng = np.random.default_rng(record.seed)
    orders = {modality: rng.permutation(len(own)) for modality, own in labels.items()}
    corners = np.eye(classes, dtype=np.float32)
    seen = {**labels, "sketch": np.where(np.arange(10) == 0, 1, labels["sketch"])}
    save_file(
        {m: np.ascontiguousarray(corners[seen[m]][orders[m]]) for m in labels},
        folder / "embeddings.safetensors",
    )
    np.savez(folder / LABELS_FILE, **labels, **{f"{m}_order": orders[m] for m in orders})
    facts = FitFacts(
        similarities={"": "cosine"},
        fit_seconds=1,
        embed_seconds=1,
        peak_memory_mib=1,
        parameters=1,
    )
    (folder / OUTCOME_FILE).write_text(Outcome(facts=facts).model_dump_json(), encoding="utf-8")
    return folder
