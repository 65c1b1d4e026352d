"""From a suite to the requests of its grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from dfbench.runs.request import DataChoice, Places, PluginSources, RunRequest
from dfbench.runs.settings import absolute_files
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
