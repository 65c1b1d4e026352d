"""A step's request and its result file, rewritten after every measurement."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dfbench.system.files import write_json

SCHEMA_VERSION = 1
Scale = Literal["full", "tiny"]


@dataclass(frozen=True)
class Request:
    """The measurement requested of a step, and the place of its result."""

    step: str
    device: Literal["cuda", "cpu"]
    scale: Scale
    """`tiny` is a dry run of every step; its figures are meaningless."""
    seconds: float
    """Time limit of the step."""
    out: Path
    """Folder of the result files."""
    data: Path | None = None
    """Folder with `qd_tiny21` or `pacs`, for the step that needs real images."""

    @property
    def file(self) -> Path:
        """The result file of the step."""
        return result_file(self.out, self.step)

    @property
    def tiny(self) -> bool:
        """Whether this is a dry run."""
        return self.scale == "tiny"

    def cache(self, place: Path) -> Path:
        """Folder of drawn images: below `place`, in a dry run one folder for all steps."""
        return (self.out if self.tiny else place).absolute() / "cache"


def result_file(out: Path, step: str) -> Path:
    """The result file of a step."""
    return out / f"gpu-{step}.json"


@dataclass
class Journal:
    """The measurements of one step; each is written to disk at once."""

    request: Request
    content: dict[str, Any] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.content = {
            "schema_version": SCHEMA_VERSION,
            "step": self.request.step,
            "scale": self.request.scale,
            "device": self.request.device,
            "complete": False,
            "results": {},
        }

    def write(self, name: str, value: Any) -> None:
        """Store a measurement under a name, replacing an earlier one."""
        self.content["results"][name] = value
        self._save()

    def end(self) -> None:
        """Mark the step as complete."""
        self.content["complete"] = True
        self._save()

    @property
    def seconds_left(self) -> float:
        """Seconds until the time limit; negative after it."""
        return self.request.seconds - (time.monotonic() - self._started)

    def _save(self) -> None:
        self.content["seconds"] = round(time.monotonic() - self._started, 1)
        write_json(self.request.file, self.content)
