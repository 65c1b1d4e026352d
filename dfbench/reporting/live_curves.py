"""Training curves of a run, read while it trains."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from dfbench.errors import InvalidInput, unknown_beginning
from dfbench.process.folder import TRAINING_FOLDER
from dfbench.records.state import STATE_FILE, held, several_runs
from dfbench.system.files import entries

_LIVE = ".curves.jsonl"
_FINAL = ".curves.json"
_CURVES = TypeAdapter(dict[str, list[tuple[int, float | None]]])
_BARS = "▁▂▃▄▅▆▇█"


class _Loop(BaseModel):
    loop: str
    steps: int


class _Values(BaseModel):
    step: int
    values: dict[str, float | None]


@dataclass(frozen=True)
class LivePoint:
    """The values of one step of a training loop."""

    loop: str
    steps: int
    """Steps of the whole loop."""
    step: int
    values: dict[str, float | None]
    """By curve; None for a value that is not finite."""

    def content(self) -> dict[str, Any]:
        """It as JSON."""
        return {"loop": self.loop, "steps": self.steps, "step": self.step, "values": self.values}


@dataclass
class _File:
    """What has been read of one file."""

    path: Path
    inode: int = 0
    offset: int = 0
    loop: _Loop | None = None
    last: int = -1

    def read(self) -> Iterator[LivePoint]:
        """The new points; a file that was begun anew is read from its start."""
        with self.path.open("rb") as file:
            inode = self.path.stat().st_ino
            if inode != self.inode:
                self.inode, self.offset = inode, 0
            file.seek(self.offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            yield from self._points(line)

    def _points(self, line: bytes) -> Iterator[LivePoint]:
        try:
            content = json.loads(line)
            if "loop" in content:
                self.loop = _Loop.model_validate(content)
                return
            point = _Values.model_validate(content)
        except (ValueError, TypeError, ValidationError) as fault:
            raise InvalidInput(
                f"{str(self.path)!r} has a line that is not a point of a training curve; "
                "allowed: the file as the run wrote it; repeat the run with --force"
            ) from fault
        if self.loop is not None and point.step > self.last:
            self.last = point.step
            yield LivePoint(self.loop.loop, self.loop.steps, point.step, point.values)


class CurveTail:
    """The curves in the folder of a run, as they grow.

    Files last changed before `since` (seconds since the epoch) are of an earlier attempt and are
    not read.
    """

    def __init__(self, folder: Path, since: float = 0.0) -> None:
        self.since = since
        self._folder = folder / TRAINING_FOLDER
        self._files: dict[Path, _File] = {}

    def new(self) -> list[LivePoint]:
        """The points since the last call. Raises `InvalidInput` for a file of other content."""
        points: list[LivePoint] = []
        for path in self._paths():
            file = self._files.setdefault(path, _File(path))
            try:
                if path.stat().st_mtime >= self.since:
                    points += file.read() if path.suffix == ".jsonl" else _of_final(file)
            except FileNotFoundError:  # the run has begun anew and removed it
                del self._files[path]
        return points

    def _paths(self) -> list[Path]:
        found = entries(self._folder)
        live = [path for path in found if path.name.endswith(_LIVE)]
        names = {path.name for path in live}
        # Runs of earlier versions have only the curves written at the end.
        final = [p for p in found if p.name.endswith(_FINAL) and f"{p.name}l" not in names]
        return live + final


def _of_final(file: _File) -> Iterator[LivePoint]:
    if file.loop is not None:
        return
    try:
        curves = _CURVES.validate_json(file.path.read_bytes())
    except ValidationError as fault:
        raise InvalidInput(
            f"{str(file.path)!r} does not contain training curves; repeat the run with --force"
        ) from fault
    steps = max((some[-1][0] + 1 for some in curves.values() if some), default=0)
    file.loop = _Loop(loop=file.path.name.removesuffix(_FINAL), steps=steps)
    by_step: dict[int, dict[str, float | None]] = {}
    for name, points in curves.items():
        for step, value in points:
            by_step.setdefault(step, {})[name] = value
    for step in sorted(by_step):
        yield LivePoint(file.loop.loop, steps, step, by_step[step])


@dataclass
class CurveBoard:
    """All values so far, by loop and curve."""

    curves: dict[tuple[str, str], list[tuple[int, float]]] = field(default_factory=dict)
    progress: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By loop, steps done and steps of the whole loop."""

    def add(self, points: Iterable[LivePoint]) -> None:
        """Add points; values that are not finite are left out."""
        for point in points:
            self.progress[point.loop] = (point.step + 1, point.steps)
            for name, value in point.values.items():
                if value is not None:
                    self.curves.setdefault((point.loop, name), []).append((point.step, value))

    def rows(self) -> list[tuple[str, ...]]:
        """Loop, curve, steps, first and last value, and shape of each curve."""
        return [
            (
                loop,
                name,
                f"{self.progress[loop][0]} of {self.progress[loop][1]}",
                f"{points[0][1]:.4g}",
                f"{points[-1][1]:.4g}",
                sparkline([value for _, value in points]),
            )
            for (loop, name), points in self.curves.items()
        ]


def sparkline(values: list[float], width: int = 30) -> str:
    """The shape of a curve in at most `width` characters, each the mean of its share of values.

    >>> sparkline([0.0, 1.0, 2.0, 7.0])
    '▁▂▃█'
    """
    count = min(width, len(values))
    bounds = [round(number * len(values) / count) for number in range(count + 1)] if count else []
    parts = [values[a:b] for a, b in pairwise(bounds)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means, default=0.0), max(means, default=0.0)
    scale = (len(_BARS) - 1) / ((high - low) or 1)
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


def started_run(named: str, runs: Path) -> Path:
    """The folder of a run, finished or not: a path, or the beginning of its name or identity.

    Of several that match, the only one in progress. Raises `UnknownName`, and `InvalidInput` if
    several match.
    """
    if (Path(named) / STATE_FILE).is_file():
        return Path(named)
    known = {
        folder.name: folder
        for dataset in entries(runs)
        if dataset.is_dir()
        for folder in entries(dataset)
        if (folder / STATE_FILE).is_file()
    }
    found = [
        folder
        for name, folder in known.items()
        if named and (name.startswith(named) or name.rpartition("-")[2].startswith(named))
    ]
    if not found:
        raise unknown_beginning("run", named, known, "dfbench table, or --runs for another folder")
    chosen = found if len(found) == 1 else [folder for folder in found if held(folder)]
    if len(chosen) != 1:
        raise several_runs(named, found)
    return chosen[0]
