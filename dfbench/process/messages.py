"""Messages between dfbench and the process that runs a plugin's code.

A job names two teachers, the supplies that the method declared, and test images in shuffled order,
without labels or names. Nothing else of a dataset reaches that process.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfbench.budget import Budget
from dfbench.modality import Modality
from dfbench.plugins.info import MethodInfo, RerankerInfo
from dfbench.plugins.networks import NetworkOffer
from dfbench.plugins.sources import PluginSources
from dfbench.process.folder import OUTCOME_FILE
from dfbench.request import FitOptions, RunRequest
from dfbench.system.files import atomic_path

UNTOLD = 74
"""Exit status of a process that could not write its outcome."""


class Job(FitOptions):
    """A fit to be executed in its own folder."""

    fit_id: str
    method: MethodInfo
    plugins: PluginSources
    budget: Budget
    seed: int
    device: str
    threads: int
    image_size: int
    checkpoint_seconds: float
    """Time between checkpoints."""
    teachers: dict[Modality, Path]
    """Stored networks."""
    supplies: dict[str, Path]
    """Stored networks and records that the method declared, by name of the supply."""
    pairs: Path | None
    """Generated pairs of another run, if declared."""
    networks: tuple[NetworkOffer, ...] = ()
    """Networks of plugins among those of the teachers."""
    arrays: dict[str, Path]
    """Arrays (.npy) that the method declared, by the names of `dfbench.need`."""
    scored: bool = True
    """Whether there are test images to embed."""
    micro_batch: int | None = None
    """Largest number of images with activations in memory at once; None for a full batch."""
    devices: int = 1
    """Number of processes that share the fit, each on its own GPU if the device is `cuda`."""
    rank: int = 0
    """Rank of this process; 0 is the leader."""
    leader: Path | None = None
    """The leader's folder; None for the leader."""


class FitFacts(BaseModel):
    """The facts of a finished fit; its embeddings are in the same folder."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    similarities: dict[str, str]
    """Similarity of each representation; the name of the headline is empty."""
    fit_seconds: float
    embed_seconds: float
    peak_memory_mib: float
    parameters: int
    """Trainable and frozen parameters of both encoders."""
    micro_batch: int | None = None
    """As in the job."""
    devices: int = 1
    """As in the job."""


class Fault(BaseModel):
    """Why a child process did not finish."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    message: str
    """One line."""
    interrupted: bool = False
    of_plugin: bool = False
    """Whether the plugin broke its contract, so that its checkpoints must be dropped."""
    images: int | None = None
    """If GPU memory ran out: largest number of images with activations in memory at once."""


class DatasetOffer(BaseModel):
    """Import path of a dataset's opening function; the parent imports nothing else."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    target: str
    argument: str | None
    file: Path | None
    """The plugin file to import first, if the plugin is a file."""
    teachers: str | None = None
    """Folder of its trained networks, `"module:folder"`, if it provides any."""


class MethodQuestion(BaseModel):
    """A question about a method."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    label: str
    settings: dict[str, str]
    """Settings of the method."""
    beside: bool
    """Whether to describe its baselines too, before it."""


class PluginQuestion(BaseModel):
    """A question to a child process about the methods and datasets of plugins, and the device."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    methods: tuple[MethodQuestion, ...]
    datasets: tuple[str, ...]
    """Registered names."""
    networks: tuple[str, ...] = ()
    """Names of the backbones of requested and external teachers."""
    rerankers: tuple[str, ...] = ()
    """Requested re-rankers, `NAME` or `NAME:KEY=VALUE,...`."""
    device: str
    """`auto`, `cpu` or `cuda`."""
    elsewhere: bool = False
    """Whether runs are executed on other machines, so that this one may lack the device."""
    plugins: PluginSources


class MethodAnswer(BaseModel):
    """The methods that answer a question, the requested one last; or why there are none."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    methods: tuple[MethodInfo, ...] = ()
    sources: dict[str, MethodInfo] = {}
    """By label, the methods whose generated pairs any of `methods` needs."""
    fault: Fault | None = None


class RerankerAnswer(BaseModel):
    """The re-ranker that answers a question; or why there is none."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    info: RerankerInfo | None = None
    fault: Fault | None = None


class DatasetAnswer(BaseModel):
    """The registration of a dataset, or why there is none."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    offer: DatasetOffer | None = None
    fault: Fault | None = None


class NetworkAnswer(BaseModel):
    """A plugin's network, or why a network is not available; neither for dfbench's own."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    offer: NetworkOffer | None = None
    fault: Fault | None = None


class Description(BaseModel):
    """The answer to a plugin question, in its order."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    methods: tuple[MethodAnswer, ...]
    datasets: dict[str, DatasetAnswer]
    """By requested name."""
    networks: dict[str, NetworkAnswer] = {}
    """By requested name."""
    rerankers: dict[str, RerankerAnswer] = {}
    """By requested text."""
    device: str
    """`cpu` or `cuda`."""
    gpus: int
    """Number of CUDA devices."""


class Lesson(BaseModel):
    """Networks to be trained by a process that runs no method's code."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    request: RunRequest
    """Data, recipe and seed; its method is ignored."""
    datasets: dict[str, DatasetAnswer]
    """Registration of the datasets of the request, by registered name."""
    networks: tuple[NetworkOffer, ...] = ()
    """Networks of plugins among those of the teachers."""
    device: str
    """`cpu` or `cuda`."""
    modalities: tuple[Modality, ...]
    """Modalities of the teachers to train."""
    supplies: tuple[str, ...]
    """Networks and activation records to make besides the two teachers."""
    measured: bool = False
    """Whether to measure the accuracy of external teachers."""
    again: bool = False
    """Whether to train networks that are in the cache again."""


class RerankJob(BaseModel):
    """A re-ranking, to be done in a folder with the embeddings; labels never reach it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    reranker: RerankerInfo
    plugins: PluginSources
    similarity: str
    threads: int


class RerankFacts(BaseModel):
    """The facts of a re-ranking; its scores were handed over block by block."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    seconds: float
    peak_memory_mib: float


class Outcome(BaseModel):
    """The answer of a child process: facts, a description, or an error."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    facts: FitFacts | None = None
    reranked: RerankFacts | None = None
    description: Description | None = None
    accuracies: dict[Modality, float] | None = None
    """Of external teachers, on the test images of their classes."""
    fault: Fault | None = None


class FitEnded(Exception):
    """A fit ends with this error, which is already complete."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def leave_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the answer of a child process into its folder. Raises `FileFault`."""
    with atomic_path(folder / OUTCOME_FILE) as temporary:
        temporary.write_text(outcome.model_dump_json(indent=1), encoding="utf-8")
