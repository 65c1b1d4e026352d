"""A run's embeddings with their labels, from the folder it left outside of git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.errors import InvalidInput
from dfbench.reporting.per_query import MissingRun, repeat_command
from dfbench.runs.job import OUTCOME_FILE, Outcome, embeddings_file
from dfbench.runs.record import Record
from dfbench.runs.store import run_folder
from dfbench.runs.test_images import LABELS_FILE


@dataclass(frozen=True)
class EmbeddedTest:
    """The test images of a run as one reading embeds them, in the dataset's order."""

    embeddings: dict[Modality, NDArray[np.float32]]
    """`[N, D]`; sketches are the queries, photos the gallery."""
    labels: dict[Modality, NDArray[np.int64]]
    """`[N]`, indices into the classes of the run's record."""
    similarity: str


def embedded_test(runs: Path, record: Record, reading: str = "") -> EmbeddedTest:
    """The embeddings of a record's run.

    Raises `MissingRun` if the run's folder lacks them or their labels, and `InvalidInput` if they
    are not as the run left them.
    """
    row = record.row.label
    folder = run_folder(runs, record.data.name, row, record.seed, record.fit_id)
    files = (embeddings_file(folder, reading), folder / LABELS_FILE, folder / OUTCOME_FILE)
    if not all(file.is_file() for file in files):
        raise MissingRun(
            f"the run of {row!r} on {record.data.name}, seed {record.seed}, left no embeddings "
            f"{f'of the reading {reading!r} ' if reading else ''}with labels in {str(folder)!r}; "
            "name the folder of runs with --runs, or repeat the run with the options it was made "
            f"with: {repeat_command(record)}"
        )
    try:
        return _read(*files, reading)
    except (OSError, KeyError, ValueError, BadZipFile, SafetensorError, ValidationError) as fault:
        raise InvalidInput(
            f"{str(folder)!r} is not as its run left it ({fault}); repeat the run with the options "
            f"it was made with: {repeat_command(record)}"
        ) from fault


def _read(embedded: Path, labelled: Path, told: Path, reading: str) -> EmbeddedTest:
    rows, facts = load_file(embedded), Outcome.model_validate_json(told.read_bytes()).facts
    if facts is None:
        raise ValueError("its outcome is a fault")
    with labelled.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        labels: dict[Modality, NDArray[np.int64]] = {m: stored[m] for m in MODALITIES}
        orders = {m: stored[f"{m}_order"] for m in MODALITIES}
    embeddings: dict[Modality, NDArray[np.float32]] = {}
    for modality in MODALITIES:
        if len(rows[modality]) != len(labels[modality]):
            raise ValueError(f"{len(rows[modality])} embeddings, {len(labels[modality])} labels")
        embeddings[modality] = np.empty(rows[modality].shape, np.float32)
        embeddings[modality][orders[modality]] = rows[modality]
    return EmbeddedTest(embeddings, labels, facts.similarities[reading])
