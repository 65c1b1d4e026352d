"""Which records are of a suite, told from the file and the records alone: no image is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dfbench.budget import Budget
from dfbench.planning.methods import resolve
from dfbench.planning.settings import shared_settings
from dfbench.plugins.host import PluginHost
from dfbench.plugins.method_info import MethodInfo
from dfbench.records.record import Arithmetic, Record
from dfbench.scenarios import canonical
from dfbench.suites.file import DatasetEntry, Suite, SuiteFile
from dfbench.teachers.recipe import TeacherRecipe


def of_suite(records: Iterable[Record], file: SuiteFile, host: PluginHost) -> list[Record]:
    """The records that runs of a suite left, with teachers of its own recipe.

    A record is held against row and configuration, name and image size of the dataset, scenario,
    seed, precision, budget and teachers; what else tells datasets apart is left to the tables.
    Raises `UnknownName` or `InvalidConfig` for a row that is not to be had.
    """
    rows = [resolve(host, entry.method, entry.config)[0] for entry in file.suite.methods]
    parts = [_Part.of(entry, file.suite) for entry in file.suite.datasets]
    return [
        record
        for record in records
        if record.seed in file.suite.seeds
        and Arithmetic.read(record.numerics)[1:] == (file.suite.precision, file.suite.compile)
        and any(_same_row(record.method, row) for row in rows)
        and any(part.has(record) for part in parts)
    ]


def _same_row(record: MethodInfo, row: MethodInfo) -> bool:
    mine = record.label, record.version, record.config
    return mine == (row.label, row.version, row.config)


@dataclass(frozen=True)
class _Part:
    """A dataset of a suite with what is fixed for it."""

    names: frozenset[str]
    image_size: int | None
    scenarios: frozenset[str]
    budget: Budget
    recipe: TeacherRecipe

    @classmethod
    def of(cls, entry: DatasetEntry, suite: Suite) -> _Part:
        budget, recipe = shared_settings(
            suite.budget | entry.budget, suite.teachers | entry.teachers
        )
        return cls(
            names=frozenset(_names(entry)),
            image_size=entry.image_size,
            scenarios=frozenset(canonical(s) for s in entry.scenarios or suite.scenarios),
            budget=budget,
            recipe=recipe,
        )

    def has(self, record: Record) -> bool:
        return (
            record.data.name in self.names
            and self.image_size in (None, record.data.image_size)
            and record.scenario in self.scenarios
            and record.budget == self.budget
            and record.recipe == self.recipe
            and not any(teacher.external for teacher in record.teachers.values())
        )


def _names(entry: DatasetEntry) -> Iterator[str]:
    """What records may call a dataset: of one with a path they keep its last part."""
    yield entry.dataset
    kind, colon, path = entry.dataset.partition(":")
    if colon:
        yield f"{kind}:{Path(path).name}"
