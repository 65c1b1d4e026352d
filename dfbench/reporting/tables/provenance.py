"""Where the numbers of a results folder come from: machines, versions and teachers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dfbench.records.record import Record
from dfbench.reporting.cells import NONE
from dfbench.reporting.tables.columns import COUNT, NAMES, WORDS, Column, Table
from dfbench.reporting.tables.layout import Layout


@dataclass
class _Origin:
    """Records of one dataset and scenario that were made alike."""

    dataset: str
    scenario: str
    machine: str
    torch: str
    teachers: str
    records: list[Record] = field(default_factory=list)
    alone: bool = False
    """Whether all records of the dataset and scenario are here."""

    @property
    def methods(self) -> list[str]:
        """Labels of the methods, each once."""
        return sorted({record.method.label for record in self.records})

    @property
    def told(self) -> str:
        """The methods as printed: by name where those of a table differ."""
        return f"all {len(self.methods)}" if self.alone else ", ".join(self.methods)


_COLUMNS: tuple[Column[_Origin], ...] = (
    Column(lambda o: o.dataset, WORDS, "dataset", ("dataset",), "dataset"),
    Column(lambda o: o.scenario, WORDS, "scenario", ("scenario",), "scenario"),
    Column(lambda o: o.machine, WORDS, "machine", ("machine",), "machine"),
    Column(lambda o: o.torch, WORDS, "torch", ("torch",), "torch"),
    Column(lambda o: o.teachers, WORDS, "teachers", ("teachers",), "teachers"),
    Column(lambda o: o.told, WORDS, "methods"),
    Column(lambda o: o.methods, NAMES, key=("methods",), field="methods"),
    Column(lambda o: len(o.records), COUNT, "runs", ("runs",), "runs"),
)


def provenance_table(records: Iterable[Record]) -> Layout:
    """The machine, the version of torch and the teachers of all records, grouped by dataset."""
    origins: dict[tuple[str, ...], _Origin] = {}
    for record in records:
        key = (
            record.data.name,
            record.scenario_title,
            record.environment.device,
            record.environment.packages.get("torch", NONE),
            _teachers(record),
        )
        origins.setdefault(key, _Origin(*key)).records.append(record)
    found = [origins[key] for key in sorted(origins)]
    places = Counter((origin.dataset, origin.scenario) for origin in found)
    for origin in found:
        origin.alone = places[origin.dataset, origin.scenario] == 1
    shown = tuple(column for column in _COLUMNS if column.title)
    table = Table(_COLUMNS, shown, {"": found})
    return table.layout("Machines and teachers", [], {}, text_columns=6)


def _teachers(record: Record) -> str:
    if record.official:
        return "official"
    external = sorted({one.external for one in record.teachers.values() if one.external})
    return f"external: {', '.join(external)}" if external else f"trained: {record.recipe.network}"
