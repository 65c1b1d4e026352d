"""Files of a run that its page shows, and the command that makes missing ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dfbench.errors import DfbenchError
from dfbench.process.folder import TRAINING_FOLDER
from dfbench.process.handover import LABELS_FILE
from dfbench.records.record import Record
from dfbench.records.showcase import (
    SHEET_FILE,
    SHOWCASE_FOLDER,
    Showcase,
    lacks_showcase,
    read_confusion,
    read_showcase,
)
from dfbench.records.store import run_folder
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.run_folders import RunFolders, repeat_command, run_command
from dfbench.reporting.site.figures import Chart, read_charts

PICTURES_FOLDER = "pictures"
RETRIEVALS = "retrievals"
"""The built-in picture: the first query of each class with its best photos."""
_FAULTS = (OSError, KeyError, ValueError, BadZipFile)
Content = TypeVar("Content")


@dataclass(frozen=True)
class Missing:
    """An item that is missing from a page."""

    what: str
    reason: str
    command: str
    """The command that makes it."""


@dataclass
class RunFiles:
    """The readable contents of a run's folder."""

    charts: list[Chart] = field(default_factory=list)
    pictures: dict[str, Path] = field(default_factory=dict)
    """Pictures drawn by the method, by name."""
    numbers: dict[str, Path] = field(default_factory=dict)
    """Numbers written by the method, by name."""
    retrievals: Path | None = None
    """The sheet with the first query of each class."""
    showcase: Showcase | None = None
    sheet: Path | None = None
    """The thumbnails of the showcase."""
    confusion: NDArray[np.float32] | None = None
    """`[C, C]`."""
    values: NDArray[np.float64] | None = None
    """`[Q]`, AP of each query; NaN without relevant photos."""
    labels: NDArray[np.int64] | None = None
    """`[Q]`, indices into the record's classes."""
    missing: list[Missing] = field(default_factory=list)


def read_artefacts(runs: Path, record: Record) -> RunFiles:
    """Read everything readable; the rest is listed in `missing`, without raising."""
    folder = run_folder(runs, record.data.name, record.method.label, record.seed, record.fit_id)
    if not folder.is_dir():
        reason = f"the folder {str(folder)!r} does not exist; give the folder of runs with --runs"
        return RunFiles(
            missing=[Missing("pictures, curves and queries", reason, repeat_command(record))]
        )
    return _Reader(folder, record).read(runs)


class _Reader:
    """Reads the parts of one folder, each independently of the others."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder = folder
        self._record = record
        self._found = RunFiles()

    def read(self, runs: Path) -> RunFiles:
        found, folder = self._found, self._folder
        found.values = self._try(
            "average precision of each query",
            repeat_command(self._record),
            lambda: RunFolders(runs).values(self._record, DEFAULT_METRIC, ""),
        )
        found.charts = (
            self._try(
                "training curves",
                repeat_command(self._record),
                lambda: read_charts(folder / TRAINING_FOLDER),
            )
            or []
        )
        self._read_pictures()
        self._read_showcase()
        return found

    def _read_pictures(self) -> None:
        drawn = self._folder / PICTURES_FOLDER
        self._found.pictures = {file.stem: file for file in sorted(drawn.glob("*.png"))}
        self._found.numbers = {file.stem: file for file in sorted(drawn.glob("*.json"))}
        self._found.retrievals = self._found.pictures.pop(RETRIEVALS, None)

    def _read_showcase(self) -> None:
        found, folder = self._found, self._folder
        command = run_command if lacks_showcase(folder) else repeat_command
        showcase = self._try(
            "best, median and worst queries, confusion between classes",
            command(self._record),
            lambda: _shown(folder, self._record),
        )
        if showcase is None:
            return
        found.showcase, found.sheet = showcase, folder / SHOWCASE_FOLDER / SHEET_FILE
        again = repeat_command(self._record)
        found.confusion = self._try(
            "confusion between classes", again, lambda: _confusion(folder, self._record)
        )
        found.labels = self._try(
            "classes of the queries", again, lambda: _labels(folder, self._record)
        )

    def _try(self, what: str, command: str, read: Callable[[], Content]) -> Content | None:
        try:
            return read()
        except FileNotFoundError as fault:
            name = Path(fault.filename).relative_to(self._folder)
            self._lacks(what, f"the run's folder has no {str(name)!r}", command)
        except DfbenchError as fault:
            self._lacks(what, str(fault).rpartition("; ")[0] or str(fault), command)
        except _FAULTS as fault:
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())
            self._lacks(what, f"cannot be read ({reason})", repeat_command(self._record))
        return None

    def _lacks(self, what: str, reason: str, command: str) -> None:
        self._found.missing.append(Missing(what, reason, command))


def _shown(folder: Path, record: Record) -> Showcase:
    showcase = read_showcase(folder)
    count = len(record.data.classes)
    if any(not 0 <= q.label < count or max(q.photo_labels) >= count for q in showcase.queries):
        raise ValueError("it has classes that are not in the record")
    return showcase


def _confusion(folder: Path, record: Record) -> NDArray[np.float32]:
    shares = read_confusion(folder)
    if shares.shape != (len(record.data.classes),) * 2:
        raise ValueError(f"its shape is {list(shares.shape)}")
    return shares


def _labels(folder: Path, record: Record) -> NDArray[np.int64]:
    with (folder / LABELS_FILE).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        labels = np.asarray(stored["sketch"], np.int64)
    if len(labels) != record.data.queries or labels.max(initial=0) >= len(record.data.classes):
        raise ValueError("it has other queries than the record")
    return labels


def shown_pixels(runs: Path, records: Iterable[Record]) -> int:
    """Total pixels of all pictures on the pages of these records; unreadable files count as 0."""
    return sum(
        _pixels(picture)
        for record in records
        for picture in _pictures(
            run_folder(runs, record.data.name, record.method.label, record.seed, record.fit_id)
        )
    )


def _pictures(folder: Path) -> Iterator[Path]:
    sheet = folder / SHOWCASE_FOLDER / SHEET_FILE
    pictures = {file.stem: file for file in (folder / PICTURES_FOLDER).glob("*.png")}
    if sheet.is_file():
        pictures |= {RETRIEVALS: sheet}  # the page shows it instead
    yield from pictures.values()


def _pixels(picture: Path) -> int:
    # The page reports unreadable pictures.
    with suppress(OSError, ValueError, Image.DecompressionBombError), Image.open(picture) as opened:
        return opened.width * opened.height
    return 0
