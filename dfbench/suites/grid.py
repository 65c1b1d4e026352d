"""From a suite to the requests of its grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfbench.runs.request import DataChoice, Places, PluginSources, RunRequest
from dfbench.suites.file import DatasetEntry, SuiteFile
from dfbench.suites.positions import KeyPath


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
    return [
        Cell(request, ("methods", m), ("datasets", d)) for d, m, request in _requests(file, around)
    ]


def _requests(file: SuiteFile, around: Surroundings) -> Iterator[tuple[int, int, RunRequest]]:
    suite = file.suite
    for d, dataset in enumerate(suite.datasets):
        data = _data(dataset, file.path.parent, around.data_root)
        shared = _prefixed("budget", suite.budget | dataset.budget)
        shared |= _prefixed("teachers", suite.teachers | dataset.teachers)
        for scenario in suite.scenarios:
            for seed in suite.seeds:
                for m, method in enumerate(suite.methods):
                    yield (
                        d,
                        m,
                        RunRequest(
                            method=method.method,
                            data=data,
                            settings=method.config | shared,
                            scenario=scenario,
                            seed=seed,
                            device=around.device or suite.run.device,
                            threads=around.threads or suite.run.threads,
                            precision=suite.precision,
                            plugins=around.plugins,
                            places=around.places,
                        ),
                    )


def _data(entry: DatasetEntry, base: Path, root: Path | None) -> DataChoice:
    return DataChoice(
        name=entry.dataset,
        image_size=entry.image_size,
        classes=entry.classes,
        alternative_classes=entry.alternative_classes,
        skip_unreadable=entry.skip_unreadable,
        alternative=entry.alternative,
        base=base,
        root=root,
        holdout=entry.holdout,
        duplicate_photos=entry.duplicate_photos,
    )


def _prefixed(owner: str, settings: dict[str, str]) -> dict[str, str]:
    return {f"{owner}.{key}": value for key, value in settings.items()}
