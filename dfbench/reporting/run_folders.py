"""Per-query scores and embeddings, read from run folders."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.modality import MODALITIES, Modality
from dfbench.planning.settings import changed_settings
from dfbench.process.folder import OUTCOME_FILE, embeddings_file
from dfbench.process.handover import LABELS_FILE
from dfbench.process.messages import Outcome
from dfbench.records.per_query import per_query_file
from dfbench.records.record import Arithmetic, Record
from dfbench.records.store import run_folder
from dfbench.scenarios import CLOSED

_TOLERANCE = 1e-9


class MissingRun(DfbenchError):
    """The folder of a recorded run is missing or incomplete."""


class RunFolders:
    """Reads per-query scores from the folder of all runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def values(
        self, record: Record, metric: str, representation: str, reranker: str = ""
    ) -> NDArray[np.float64]:
        """`[Q]`, the metric of each query in dataset order; NaN for one without relevant photos.

        `reranker` is the label of a re-ranking of the record; without one, the ranking is the plain
        one. Raises `MissingRun` if the run's folder lacks the file, and `InvalidInput` if its
        values cannot be read or disagree with the record.
        """
        row = record.method.label
        folder = run_folder(self._folder, record.data.name, row, record.seed, record.fit_id)
        source = record.reranked[reranker] if reranker else record
        identity = record.reranked[reranker].identity if reranker else ""
        file = per_query_file(folder, representation, identity)
        if not file.is_file():
            again = f"{run_command(record)} --rerank {shlex.quote(reranker)}"
            raise MissingRun(
                f"the run of {row!r} on {record.data.name}, seed {record.seed}, has no per-query "
                f"scores {f'of the re-ranking {reranker!r} ' if reranker else ''}in "
                f"{str(folder)!r}; give the folder of runs with --runs, or repeat the run with its "
                f"original options: {again if reranker else repeat_command(record)}"
            )
        values = _read(file, metric)
        scores = source.representations[representation] if representation else source.metrics
        kept = values[~np.isnan(values)]
        mean = float(kept.mean()) if kept.size else float("nan")
        expected = scores[metric].value
        if len(values) != record.data.queries or not abs(mean - expected) <= _TOLERANCE:
            raise InvalidInput(
                f"{str(file)!r} does not match its record: {len(values)} queries with a "
                f"mean {metric} of {mean:.6f}, recorded {record.data.queries} with "
                f"{expected:.6f}; repeat the run: {repeat_command(record)}"
            )
        return values


def repeat_command(record: Record) -> str:
    """The command that repeats a run and writes its folder again; see `run_command`."""
    return f"{run_command(record)} --force"


def run_command(record: Record) -> str:
    """The command that makes a run, or completes the folder of a finished one.

    Settings of the method itself, and dataset options that the record does not name, must be added
    by the user.
    """
    words = ["dfbench", "run", "--method", record.method.label, "--dataset", record.data.name]
    device, precision, compiled = Arithmetic.read(record.numerics)
    words += [] if record.scenario == CLOSED else ["--scenario", record.scenario]
    words += ["--seed", str(record.seed), "--device", device, "--precision", precision]
    words += ["--compile"] if compiled else []
    words += ["--threads", str(record.environment.threads)]
    for modality, teacher in record.teachers.items():
        words += [f"--{modality}-teacher", teacher.identity] if teacher.external else []
    words += ["--train-teachers"] if record.train_teachers else []
    for key, value in changed_settings(record.budget, record.recipe).items():
        words += ["--set", f"{key}={value}"]
    return shlex.join([*words, "--alone"])


def _read(file: Path, metric: str) -> NDArray[np.float64]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            return np.asarray(stored[metric], dtype=np.float64)
    except KeyError as fault:
        raise InvalidInput(f"{str(file)!r} has no values of {metric!r}") from fault
    except (OSError, ValueError, BadZipFile) as fault:
        raise InvalidInput(
            f"{str(file)!r} cannot be read ({fault}); remove it and repeat the run"
        ) from fault


@dataclass(frozen=True)
class EmbeddedTest:
    """The embeddings of a run's test images in one representation, in dataset order."""

    embeddings: dict[Modality, NDArray[np.float32]]
    """`[N, D]`; sketches are the queries, photos the gallery."""
    labels: dict[Modality, NDArray[np.int64]]
    """`[N]`, indices into the classes of the run's record."""
    similarity: str


def embedded_test(runs: Path, record: Record, representation: str = "") -> EmbeddedTest:
    """The embeddings of a record's run.

    Raises `MissingRun` if the run's folder lacks embeddings or labels, and `InvalidInput` if its
    files are damaged or inconsistent.
    """
    row = record.method.label
    folder = run_folder(runs, record.data.name, row, record.seed, record.fit_id)
    files = (embeddings_file(folder, representation), folder / LABELS_FILE, folder / OUTCOME_FILE)
    if not all(file.is_file() for file in files):
        raise MissingRun(
            f"the run of {row!r} on {record.data.name}, seed {record.seed}, has no embeddings "
            f"{f'of the representation {representation!r} ' if representation else ''}with "
            f"labels in {str(folder)!r}; "
            "give the folder of runs with --runs, or repeat the run with its original options: "
            f"{repeat_command(record)}"
        )
    try:
        return _read_embedded(*files, representation)
    except (OSError, KeyError, ValueError, BadZipFile, SafetensorError, ValidationError) as fault:
        raise InvalidInput(
            f"{str(folder)!r} is damaged or inconsistent ({fault}); repeat the run with its "
            f"original options: {repeat_command(record)}"
        ) from fault


def _read_embedded(
    embedded: Path, labelled: Path, outcome: Path, representation: str
) -> EmbeddedTest:
    rows, facts = load_file(embedded), Outcome.model_validate_json(outcome.read_bytes()).facts
    if facts is None:
        raise ValueError("its outcome is an error")
    with labelled.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        labels: dict[Modality, NDArray[np.int64]] = {m: stored[m] for m in MODALITIES}
        orders = {m: stored[f"{m}_order"] for m in MODALITIES}
    embeddings: dict[Modality, NDArray[np.float32]] = {}
    for modality in MODALITIES:
        if len(rows[modality]) != len(labels[modality]):
            raise ValueError(f"{len(rows[modality])} embeddings, {len(labels[modality])} labels")
        embeddings[modality] = np.empty(rows[modality].shape, np.float32)
        embeddings[modality][orders[modality]] = rows[modality]
    return EmbeddedTest(embeddings, labels, facts.similarities[representation])
