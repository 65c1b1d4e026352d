"""The requests of a suite's grid, and the choice of some by `--only` and `--except`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from dfbench.errors import unknown_name
from dfbench.planning.settings import absolute_files
from dfbench.plugins.sources import PluginSources
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.suites.file import DatasetEntry, SuiteFile
from dfbench.suites.positions import KeyPath

_NO_CHOICE = {"dataset", "budget", "teachers", "scenarios"}
"""Keys of a dataset's entry that say something else than which of its images are meant."""


@dataclass(frozen=True)
class Surroundings:
    """What the command line adds to a suite; of a run's identity only the device is part."""

    places: Places
    data_root: Path | None
    """Folder of published datasets."""
    plugins: PluginSources
    device: str | None = None
    """None leaves it to the file."""
    threads: int | None = None
    """None leaves it to the file."""


@dataclass(frozen=True)
class Cell:
    """One run of the grid, and the keys of the file that it comes from."""

    request: RunRequest
    method_key: KeyPath
    dataset_key: KeyPath
    scenario_key: KeyPath

    @property
    def names(self) -> dict[str, str]:
        """Its place on each axis of the grid, as the file writes it."""
        request = self.request
        return {
            "method": request.method,
            "dataset": request.data.name,
            "scenario": request.scenario,
            "seed": f"seed={request.seed}",
        }


def grid(file: SuiteFile, around: Surroundings) -> list[Cell]:
    """All runs of a suite: all methods of a seed, then the next seed, dataset after dataset."""
    return list(_cells(file, around))


def _cells(file: SuiteFile, around: Surroundings) -> Iterator[Cell]:
    suite = file.suite
    plugins = around.plugins.with_files(*file.plugin_files)
    for d, dataset in enumerate(suite.datasets):
        data = _data(dataset, file.path.parent, around.data_root)
        shared = _prefixed("budget", suite.budget | dataset.budget)
        shared |= absolute_files(_prefixed("teachers", suite.teachers | dataset.teachers))
        own: KeyPath = ("datasets", d) if dataset.scenarios else ()
        for s, scenario in enumerate(dataset.scenarios or suite.scenarios):
            for seed, (m, method) in product(suite.seeds, enumerate(suite.methods)):
                request = RunRequest(
                    method=method.method,
                    data=data,
                    settings=method.config | shared,
                    scenario=scenario,
                    seed=seed,
                    device=around.device or suite.run.device,
                    threads=around.threads or suite.run.threads,
                    precision=suite.precision,
                    compile=suite.compile,
                    plugins=plugins,
                    places=around.places,
                )
                yield Cell(request, ("methods", m), ("datasets", d), (*own, "scenarios", s))


def _data(entry: DatasetEntry, base: Path, root: Path | None) -> DataChoice:
    options = entry.model_dump(exclude=_NO_CHOICE)
    return DataChoice(name=entry.dataset, base=base, root=root, **options)


def _prefixed(owner: str, settings: dict[str, str]) -> dict[str, str]:
    return {f"{owner}.{key}": value for key, value in settings.items()}


def select(cells: Sequence[Cell], only: Sequence[str], without: Sequence[str]) -> list[Cell]:
    """The cells that the patterns of `only` leave, less those of `without`.

    A pattern (`*` stands for any text, `?` for a character) is held against rows, datasets,
    scenarios and `seed=N`. Patterns of `only` for the same axis are alternatives; a cell has to
    be chosen on every axis that has patterns. Raises `UnknownName` for one that matches nothing.
    """
    wanted: dict[str, set[str]] = {}
    for pattern in only:
        axis, names = _matched(pattern, cells, "--only")
        wanted.setdefault(axis, set()).update(names)
    unwanted: dict[str, set[str]] = {}
    for pattern in without:
        axis, names = _matched(pattern, cells, "--except")
        unwanted.setdefault(axis, set()).update(names)
    return [
        cell
        for cell in cells
        if all(cell.names[axis] in names for axis, names in wanted.items())
        and not any(cell.names[axis] in names for axis, names in unwanted.items())
    ]


def _matched(pattern: str, cells: Iterable[Cell], option: str) -> tuple[str, set[str]]:
    """The first axis on which a pattern matches, and what it matches there."""
    text = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    names: dict[str, set[str]] = {}
    for cell in cells:
        for axis, name in cell.names.items():
            names.setdefault(axis, set()).add(name)
    for axis, found in names.items():
        matching = {name for name in found if re.fullmatch(text, name)}
        if matching:
            return axis, matching
    every = {name for found in names.values() for name in found}
    raise unknown_name(f"{option} pattern", pattern, every, "dfbench suite plan FILE")
