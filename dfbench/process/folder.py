"""Names of files in the folder of a run, as its processes write them."""

from __future__ import annotations

from pathlib import Path

JOB_FILE = "job.json"
OUTCOME_FILE = "outcome.json"
TRACEBACK_FILE = "traceback.txt"
LOG_FILE = "log.txt"
"""Output of the processes of a suite's run, in the run's folder."""
ENCODERS_FILE = "encoders.safetensors"
TRAINING_FOLDER = "training"
"""Contains curves, and checkpoints until a fit is recorded."""


def embeddings_file(folder: Path, representation: str) -> Path:
    """The file of the embeddings of a representation; the name of the headline is empty."""
    return folder / (
        f"embeddings-{representation}.safetensors" if representation else "embeddings.safetensors"
    )
