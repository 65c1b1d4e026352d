"""What a user asks of one run, before anything is looked up."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Places(BaseModel):
    """The folders a run reads and writes."""

    model_config = ConfigDict(frozen=True)

    results: Path
    """Records, small and meant for git."""
    runs: Path
    """Heavy things: encoders, embeddings, pictures, checkpoints."""
    cache: Path
    """Decoded images and trained teachers; safe to delete."""


class PluginSources(BaseModel):
    """Where plugins come from besides entry points."""

    model_config = ConfigDict(frozen=True)

    files: tuple[Path, ...] = ()
    folder: Path | None = None


class DataChoice(BaseModel):
    """A dataset with the user's options for it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """As on the command line, e.g. `shapes` or `folder:PATH`."""
    image_size: int | None = None
    classes: tuple[str, ...] | None = None
    alternative_classes: tuple[str, ...] | None = None
    skip_unreadable: bool = False
    alternative: str | None = None
    """Another dataset that provides the alternative classes."""

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
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    plugins: PluginSources = PluginSources()
    places: Places
