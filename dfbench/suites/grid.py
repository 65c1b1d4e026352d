"""The requests of a suite's grid, and their selection by `--only` and `--except`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from dfbench.errors import unknown_name
from dfbench.plugins.sources import PluginSources
from dfbench.request import RunRequest, read_options
from dfbench.suites.file import SuiteFile
from dfbench.suites.positions import KeyPath


@dataclass(frozen=True)
class Cell:
    """One run of the grid, with the keys of the file that define it."""

    request: RunRequest
    method_key: KeyPath
    dataset_key: KeyPath
    scenario_key: KeyPath

    @property
    def names(self) -> dict[str, str]:
        """Its value on each axis of the grid, as written in the file."""
        request = self.request
        return {
            "method": request.method,
            "dataset": request.data.name,
            "scenario": request.scenario,
            "seed": f"seed={request.seed}",
        }


def grid(file: SuiteFile, given: Mapping[str, Any], plugins: PluginSources) -> list[Cell]:
    """All runs of a suite: all methods of a seed, then the next seed, dataset after dataset.

    `given` are options of the command line by name, which override those of the file.
    """
    return list(_cells(file, given, plugins.with_files(*file.plugin_files)))


def _cells(file: SuiteFile, given: Mapping[str, Any], plugins: PluginSources) -> Iterator[Cell]:
    suite, folder = file.suite, file.path.parent
    for d, dataset in enumerate(suite.datasets):
        shared = _prefixed("budget", suite.budget | dataset.budget)
        shared |= _prefixed("teachers", suite.teachers | dataset.teachers)
        fixed = {**suite.options(dataset), **suite.run.given, **given, "dataset": dataset.dataset}
        own: KeyPath = ("datasets", d) if dataset.scenarios else ()
        for s, scenario in enumerate(dataset.scenarios or suite.scenarios):
            for seed, (m, method) in product(suite.seeds, enumerate(suite.methods)):
                settings = method.config | shared
                varied = {"method": method.method, "settings": settings, "scenario": scenario}
                request, _ = read_options({**fixed, **varied, "seed": seed}, plugins, folder)
                yield Cell(request, ("methods", m), ("datasets", d), (*own, "scenarios", s))


def _prefixed(owner: str, settings: dict[str, str]) -> dict[str, str]:
    return {f"{owner}.{key}": value for key, value in settings.items()}


def select(cells: Sequence[Cell], only: Sequence[str], without: Sequence[str]) -> list[Cell]:
    """The cells that match the patterns of `only`, without those that match `without`.

    A pattern (`*` matches any text, `?` one character) is compared with methods, datasets,
    scenarios and `seed=N`. Patterns of `only` for the same axis are alternatives; a cell must match
    on every axis that has patterns. Raises `UnknownName` for a pattern that matches nothing.
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
    """The first axis on which a pattern matches, and the names it matches."""
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
