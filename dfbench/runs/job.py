"""What crosses the border between dfbench and the process that runs a plugin's code.

A job names two teachers, the supplies that the method declared, and test images without labels or
names in shuffled order. Nothing else of a dataset reaches that process.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfbench.budget import Budget
from dfbench.datasets.dataset import Modality
from dfbench.runs.request import PluginSources
from dfbench.runs.row import Row

JOB_FILE = "job.json"
OUTCOME_FILE = "outcome.json"
TRACEBACK_FILE = "traceback.txt"
TRAINING_FOLDER = "training"
"""Holds curves, and checkpoints as long as a fit is not recorded."""
NO_SPACE = 74
"""Exit status of a process for whose outcome the disk has no room."""


class Job(BaseModel):
    """A fit to be done in a folder of its own."""

    model_config = ConfigDict(frozen=True)

    row: Row
    plugins: PluginSources
    budget: Budget
    seed: int
    device: str
    threads: int
    image_size: int
    teachers: dict[Modality, Path]
    """Stored networks."""
    modality_classifier: Path | None
    """Stored network, if declared."""
    arrays: dict[str, Path]
    """Arrays (.npy): by modality the shuffled test images, uint8 `[N, C, H, W]`; by the names of
    `dfbench.runs.supplies` what the method declared."""


class FitFacts(BaseModel):
    """What a finished fit tells about itself; its embeddings lie beside it."""

    model_config = ConfigDict(frozen=True)

    similarities: dict[str, str]
    """Similarity of each reading; the headline's name is empty."""
    fit_seconds: float
    embed_seconds: float
    peak_memory_mib: float
    parameters: int
    """Trainable and frozen parameters of both encoders."""


class Fault(BaseModel):
    """Why a child process did not finish."""

    model_config = ConfigDict(frozen=True)

    message: str
    """One line."""
    interrupted: bool = False
    of_plugin: bool = False
    """Whether the plugin broke its contract, so that its checkpoints are worth nothing."""


class DatasetOffer(BaseModel):
    """Where a dataset's opening function lies; the parent imports it and nothing else."""

    model_config = ConfigDict(frozen=True)

    name: str
    target: str
    argument: str | None
    file: Path | None
    """The plugin file that has to be imported first, if it is one."""


class Outcome(BaseModel):
    """The answer of a child process: facts, descriptions, or a fault."""

    model_config = ConfigDict(frozen=True)

    facts: FitFacts | None = None
    rows: tuple[Row, ...] = ()
    datasets: tuple[DatasetOffer, ...] = ()
    fault: Fault | None = None


class Question(BaseModel):
    """Asks a child process what plugins say of a row and of some datasets."""

    model_config = ConfigDict(frozen=True)

    label: str
    settings: dict[str, str]
    """Settings of the row."""
    beside: bool
    """Describe the rows that its plugin wants beside it too, before it."""
    datasets: tuple[str, ...]
    """Registered names."""
    plugins: PluginSources


def embeddings_file(folder: Path, reading: str) -> Path:
    """Where the embeddings of a reading lie; the headline's name is empty."""
    return folder / (f"embeddings-{reading}.safetensors" if reading else "embeddings.safetensors")
