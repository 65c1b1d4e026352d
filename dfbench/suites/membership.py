"""Which records belong to a suite, from the file and the records alone, without images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dfbench.budget import Budget
from dfbench.modality import MODALITIES, Modality
from dfbench.planning.methods import resolve
from dfbench.planning.settings import shared_settings
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import MethodInfo
from dfbench.records.record import Arithmetic, Record
from dfbench.request import FitOptions
from dfbench.scenarios import canonical
from dfbench.suites.file import DatasetEntry, SuiteFile
from dfbench.teachers.external import stored_teacher
from dfbench.teachers.recipe import TeacherRecipe


def of_suite(records: Iterable[Record], file: SuiteFile, host: PluginHost) -> list[Record]:
    """The records of a suite's runs, with teachers of its own recipe.

    Records are matched by method and configuration, name and image size of the dataset, scenario,
    seed, precision, budget and teachers; tables separate other differences between datasets.
    Raises `UnknownName` or `InvalidConfig` for an unknown method or setting.
    """
    methods = [resolve(host, entry.method, entry.config)[0] for entry in file.suite.methods]
    parts = [_Part.of(entry, file) for entry in file.suite.datasets]
    return [
        record
        for record in records
        if record.seed in file.suite.seeds
        and any(_same_method(record.method, method) for method in methods)
        and any(part.has(record) for part in parts)
    ]


def _same_method(record: MethodInfo, method: MethodInfo) -> bool:
    mine = record.label, record.version, record.config
    return mine == (method.label, method.version, method.config)


@dataclass(frozen=True)
class _Part:
    """A dataset of a suite with its settings."""

    names: frozenset[str]
    image_size: int | None
    scenarios: frozenset[str]
    budget: Budget
    recipe: TeacherRecipe
    fit: FitOptions
    external: Mapping[Modality, str]
    """Identities of external teachers, or their beginnings."""

    @classmethod
    def of(cls, entry: DatasetEntry, file: SuiteFile) -> _Part:
        suite = file.suite
        options = suite.options(entry)
        budget, recipe = shared_settings(
            suite.budget | entry.budget, suite.teachers | entry.teachers
        )
        return cls(
            names=frozenset(_names(entry)),
            image_size=options.get("image_size"),
            scenarios=frozenset(canonical(s) for s in entry.scenarios or suite.scenarios),
            budget=budget,
            recipe=recipe,
            fit=FitOptions(**{k: options[k] for k in FitOptions.model_fields if k in options}),
            external={
                modality: _identity(options[key], file.path.parent)
                for modality in MODALITIES
                if (key := f"{modality}_teacher") in options
            },
        )

    def has(self, record: Record) -> bool:
        return (
            record.data.name in self.names
            and self.image_size in (None, record.data.image_size)
            and record.scenario in self.scenarios
            and record.budget == self.budget
            and record.recipe == self.recipe
            and Arithmetic.read(record.numerics)[1:] == (self.fit.precision, self.fit.compile)
            and self._has_teachers(record)
        )

    def _has_teachers(self, record: Record) -> bool:
        """Whether its teachers are the external ones, or were trained if there are none."""
        found = {m: teacher.identity for m, teacher in record.teachers.items() if teacher.external}
        return found.keys() == self.external.keys() and all(
            found[m].startswith(identity) for m, identity in self.external.items()
        )


def _identity(teacher: str, folder: Path) -> str:
    """Identity of an external teacher that a suite names, or what it says of that."""
    file = folder / Path(teacher).expanduser()
    return stored_teacher(str(file), folder, {})[1].identity if file.is_file() else teacher


def _names(entry: DatasetEntry) -> Iterator[str]:
    """Possible names of a dataset in records, which keep only the last part of a path."""
    yield entry.dataset
    kind, colon, path = entry.dataset.partition(":")
    if colon:
        yield f"{kind}:{Path(path).name}"
