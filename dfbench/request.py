"""What a user asks of one run, before anything is looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dfbench.datasets.split import HoldoutName
from dfbench.modality import Modality
from dfbench.plugins.sources import PluginSources
from dfbench.scenarios import CLOSED, canonical
from dfbench.system.files import absolute

Precision = Literal["fp32", "bf16"]
"""Arithmetic of backbones and estimators in a fit; all else is float32 in either."""


AbsolutePath = Annotated[Path, AfterValidator(absolute)]
"""A path that stays where it is, whatever folder the process goes to afterwards."""


class Places(BaseModel):
    """The folders a run reads and writes."""

    model_config = ConfigDict(frozen=True)

    results: AbsolutePath
    """Records, small and meant for git."""
    runs: AbsolutePath
    """Heavy things: encoders, embeddings, pictures, checkpoints."""
    cache: AbsolutePath
    """Decoded images and trained teachers; safe to delete."""


class DataChoice(BaseModel):
    """A dataset with the user's options for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """As on the command line, e.g. `shapes` or `folder:PATH`."""
    image_size: int | None = None
    classes: tuple[str, ...] | None = None
    alternative_classes: tuple[str, ...] | None = None
    skip_unreadable: bool = False
    alternative: str | None = None
    """Another dataset that provides the alternative classes."""
    base: AbsolutePath = Field(default_factory=lambda: absolute(Path()))
    """The folder in which a relative PATH begins."""
    root: AbsolutePath | None = None
    """Data root: the folder under which published datasets lie."""
    holdout: HoldoutName = "fifth"
    """Which images of a class are its test part."""
    duplicate_photos: bool = False
    """Whether photos that a published gallery holds twice count twice."""

    @property
    def kind(self) -> str:
        """The dataset's registered name: what stands before the colon."""
        return self.name.partition(":")[0]


class RunRequest(BaseModel):
    """One row on one dataset with one seed."""

    model_config = ConfigDict(frozen=True)

    method: str
    """Label of the row: `crossx` or `crossx[bn]`."""
    data: DataChoice
    settings: dict[str, str] = {}
    """`key=value` as given: of the method, or of `budget.` and `teachers.`."""
    scenario: Annotated[str, AfterValidator(canonical)] = CLOSED
    """Which classes the teachers know, and which are queried, in canonical spelling."""
    seed: int = 0
    device: str = "auto"
    precision: Precision = "fp32"
    compile: bool = False
    """Whether torch.compile makes the code of a fit's networks."""
    threads: int | None = None
    devices: int = 1
    """How many GPUs, or on a CPU processes, share a fit."""
    plugins: PluginSources = PluginSources()
    places: Places
    teachers: dict[Modality, str] = {}
    """Teachers made elsewhere, by file or identity; without them both are trained."""
