"""What crosses the border between dfbench and the process that runs a plugin's code.

A job names two teachers, the supplies that the method declared, and test images without labels or
names in shuffled order. Nothing else of a dataset reaches that process.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfbench.budget import Budget
from dfbench.modality import Modality
from dfbench.plugins.method_info import MethodInfo
from dfbench.plugins.sources import PluginSources
from dfbench.request import FitOptions, RunRequest
from dfbench.system.files import atomic_path
from dfbench.teachers.identities import Supply

JOB_FILE = "job.json"
OUTCOME_FILE = "outcome.json"
TRACEBACK_FILE = "traceback.txt"
LOG_FILE = "log.txt"
"""Output of the processes of a suite's run, in its folder."""
ENCODERS_FILE = "encoders.safetensors"
TRAINING_FOLDER = "training"
"""Holds curves, and checkpoints as long as a fit is not recorded."""
UNTOLD = 74
"""Exit status of a process that could not write its outcome."""


class Job(FitOptions):
    """A fit to be done in a folder of its own."""

    fit_id: str
    method: MethodInfo
    plugins: PluginSources
    budget: Budget
    seed: int
    device: str
    threads: int
    image_size: int
    checkpoint_seconds: float
    """Time between two checkpoints."""
    teachers: dict[Modality, Path]
    """Stored networks."""
    supplies: dict[Supply, Path]
    """Stored networks and records that the method declared."""
    pairs: Path | None
    """Generated pairs of another run, if declared."""
    arrays: dict[str, Path]
    """Arrays (.npy) that the method declared, by the names of `dfbench.runs.ingredients`."""
    scored: bool = True
    """Whether there are test images to embed."""
    micro_batch: int | None = None
    """The most images that networks hold the activations of at a time; None for all of a batch."""
    devices: int = 1
    """How many processes share the fit, each on a GPU of its own if that is the device."""
    rank: int = 0
    """Which of them this one is; 0 leads."""
    leader: Path | None = None
    """The leader's folder; None for the leader."""


class FitFacts(BaseModel):
    """What a finished fit tells about itself; its embeddings lie beside it."""

    model_config = ConfigDict(frozen=True)

    similarities: dict[str, str]
    """Similarity of each representation; the headline's name is empty."""
    fit_seconds: float
    embed_seconds: float
    peak_memory_mib: float
    parameters: int
    """Trainable and frozen parameters of both encoders."""
    micro_batch: int | None = None
    """As in the job."""
    devices: int = 1
    """Likewise."""


class Fault(BaseModel):
    """Why a child process did not finish."""

    model_config = ConfigDict(frozen=True)

    message: str
    """One line."""
    interrupted: bool = False
    of_plugin: bool = False
    """Whether the plugin broke its contract, so that its checkpoints are worth nothing."""
    images: int | None = None
    """Where a GPU's memory ran out: the most images that networks held on to at a time."""


class DatasetOffer(BaseModel):
    """Where a dataset's opening function lies; the parent imports it and nothing else."""

    model_config = ConfigDict(frozen=True)

    name: str
    target: str
    argument: str | None
    file: Path | None
    """The plugin file that has to be imported first, if it is one."""


class MethodQuestion(BaseModel):
    """Asks what plugins say of a row."""

    model_config = ConfigDict(frozen=True)

    label: str
    settings: dict[str, str]
    """Settings of the row."""
    beside: bool
    """Describe the rows that its plugin wants beside it too, before it."""


class PluginQuestion(BaseModel):
    """Asks a child process what plugins say of rows and datasets, and what this machine has."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[MethodQuestion, ...]
    datasets: tuple[str, ...]
    """Registered names."""
    networks: tuple[str, ...] = ()
    """Names of backbones that teachers are to have."""
    device: str
    """`auto`, `cpu` or `cuda`."""
    plugins: PluginSources


class MethodAnswer(BaseModel):
    """The rows that answer one question, the one asked for last; or why there are none."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[MethodInfo, ...] = ()
    sources: dict[str, MethodInfo] = {}
    """By label, the rows whose generated pairs any of `rows` needs."""
    fault: Fault | None = None


class DatasetAnswer(BaseModel):
    """Where a dataset is to be had, or why not."""

    model_config = ConfigDict(frozen=True)

    offer: DatasetOffer | None = None
    fault: Fault | None = None


class Description(BaseModel):
    """The answer to a question, in its order."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[MethodAnswer, ...]
    datasets: dict[str, DatasetAnswer]
    """By the name asked for."""
    networks: dict[str, Fault] = {}
    """By the name asked for, what is wrong with a backbone that is not to be had."""
    device: str
    """`cpu` or `cuda`."""
    gpus: int
    """How many CUDA devices there are."""


class Lesson(BaseModel):
    """Networks to be trained by a process of dfbench's own code."""

    model_config = ConfigDict(frozen=True)

    request: RunRequest
    """Whose data, recipe and seed count; its method does not."""
    datasets: dict[str, DatasetAnswer]
    """Where the datasets of the request are to be had, by registered name."""
    device: str
    """`cpu` or `cuda`."""
    modalities: tuple[Modality, ...]
    """Whose teachers are wanted."""
    supplies: tuple[Supply, ...]
    """What to make besides the two teachers."""


class Outcome(BaseModel):
    """The answer of a child process: facts, a description, or a fault."""

    model_config = ConfigDict(frozen=True)

    facts: FitFacts | None = None
    description: Description | None = None
    fault: Fault | None = None


class FitEnded(Exception):
    """A fit ends with this fault, and whoever does it has nothing to add."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def leave_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the answer of a child process into its folder. Raises `FileFault`."""
    with atomic_path(folder / OUTCOME_FILE) as temporary:
        temporary.write_text(outcome.model_dump_json(indent=1), encoding="utf-8")


def embeddings_file(folder: Path, representation: str) -> Path:
    """Where the embeddings of a representation lie; the headline's name is empty."""
    return folder / (
        f"embeddings-{representation}.safetensors" if representation else "embeddings.safetensors"
    )
