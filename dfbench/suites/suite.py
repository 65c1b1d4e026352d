"""An open suite, read and planned, for the commands of `dfbench suite`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench.errors import InvalidInput
from dfbench.plugins.sources import PluginSources
from dfbench.records.store import ResultStore
from dfbench.request import Limits
from dfbench.suites.file import SuiteFile, read_suite
from dfbench.suites.grid import grid, select
from dfbench.suites.planning import SuiteItem, SuitePlan, plan_suite, take_inventory


@dataclass(frozen=True)
class OpenSuite:
    """A suite, its plan, and the folder where its records go."""

    file: SuiteFile
    plan: SuitePlan
    results: Path
    limits: Limits
    """Of each run's process."""

    @property
    def title(self) -> str:
        """The title in the file, or the file's name."""
        return self.file.suite.title or self.file.path.stem

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of its datasets, each line once."""
        datasets = [run.plan.session.dataset for run in self.plan.runs if run.plan]
        lines = (f"{data.name}: {line}" for data in datasets for line in data.notes)
        return tuple(dict.fromkeys(lines))

    def items(self) -> list[SuiteItem]:
        """The current state of each run."""
        return take_inventory(self.plan.runs, ResultStore(self.results))


def open_suite(
    path: Path,
    given: Mapping[str, Any],
    plugins: PluginSources,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    *,
    elsewhere: bool = False,
) -> OpenSuite:
    """Read a suite file and plan the runs that the patterns select; nothing is started.

    `given` are options of the command line by name, which override those of the file. With
    `elsewhere` the runs are executed on other machines, if at all: this one may lack the device.

    Raises `InvalidSuite`, `InvalidInput` or `UnknownName` for errors in the file, its keys or the
    patterns.
    """
    file = read_suite(path)
    cells = select(grid(file, given, plugins), only, without)
    if not cells:
        raise InvalidInput(
            f"no run of {path.name} is left by --only {list(only)} and --except {list(without)}; "
            "patterns of different kinds must all match (see: dfbench suite plan FILE)"
        )
    options = {**file.suite.run.given, **given}
    limits = Limits(**{name: options[name] for name in Limits.model_fields if name in options})
    plan = plan_suite(file, cells, elsewhere=elsewhere)
    return OpenSuite(file, plan, cells[0].request.places.results, limits)
