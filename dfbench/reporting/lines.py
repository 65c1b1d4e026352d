"""Records put together: tables of what can be ranked together, lines of what is averaged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dfbench.identity import canonical_json
from dfbench.records.record import Record

DEFAULT_METRIC = "map@all"


@dataclass(frozen=True)
class Line:
    """One row: the records of one method, configuration and data, one a seed."""

    name: str
    """The title, with what tells it from other lines of the same method."""
    records: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """Any of the records, for what all share."""
        return self.records[0]

    @property
    def label(self) -> str:
        """Label of the row."""
        return self.first.method.label

    @property
    def by_seed(self) -> dict[int, Record]:
        """The records by seed, ascending."""
        return {record.seed: record for record in self.records}

    @classmethod
    def of(cls, name: str, records: Iterable[Record]) -> Line:
        """The line of records of one setting, the last of each seed, seeds ascending."""
        by_seed = {record.seed: record for record in records}
        return cls(name, tuple(by_seed[seed] for seed in sorted(by_seed)))

    def values(self, metric: str, representation: str = "") -> list[float]:
        """The metric on each seed; empty where the row has no such representation."""
        scores = [
            r.representations.get(representation, {}) if representation else r.metrics
            for r in self.records
        ]
        return [score[metric].value for score in scores if metric in score]


def tables(records: Iterable[Record]) -> list[list[Record]]:
    """Records by dataset, scenario and content of the data: what one table shows."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        key = (record.data.name, record.scenario_title, record.data.fingerprint)
        groups.setdefault(key, []).append(record)
    return [groups[key] for key in sorted(groups)]


def lines(records: Iterable[Record], metric: str = DEFAULT_METRIC) -> list[Line]:
    """The lines of one table, that with the best mean of the metric first."""
    by_setting: dict[str, dict[int, Record]] = {}
    for record in records:
        by_setting.setdefault(setting_key(record), {})[record.seed] = record
    groups = [tuple(seeds[s] for s in sorted(seeds)) for seeds in by_setting.values()]
    by_label: dict[str, list[tuple[Record, ...]]] = {}
    for group in groups:
        by_label.setdefault(group[0].method.label, []).append(group)
    found = [
        Line(name, group)
        for siblings in by_label.values()
        for name, group in zip(_names(siblings), siblings, strict=True)
    ]
    return sorted(found, key=lambda line: -fmean(line.values(metric) or [-1.0]))


def surroundings(record: Record) -> dict[str, Any]:
    """What rows have to share for their difference to mean something, besides data and seed."""
    return {
        "numerics": record.numerics,
        "alternative": record.data.alternative,
        **{f"budget.{k}": v for k, v in record.budget.model_dump(mode="json").items()},
        **{f"teachers.{k}": v for k, v in record.recipe.model_dump(mode="json").items()},
        **{
            f"{modality} teacher": f"{teacher.external}, {teacher.identity[:12]}"
            for modality, teacher in record.teachers.items()
            if teacher.external
        },
    }


def differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """The keys in which settings are not all the same, sorted."""
    keys = {key for setting in settings for key in setting}
    return sorted(key for key in keys if len({repr(s.get(key)) for s in settings}) > 1)


def setting_key(record: Record) -> str:
    """Equal for records of one method, configuration and surroundings: they differ in seed."""
    return canonical_json(_settings(record))


def _settings(record: Record) -> dict[str, Any]:
    row = record.method
    return {
        "label": row.label,
        "version": row.version,
        **surroundings(record),
        **row.config,
    }


def _names(siblings: list[tuple[Record, ...]]) -> list[str]:
    """Titles; where one label has several configurations, each with the settings that differ."""
    settings = [_settings(group[0]) for group in siblings]
    keys = differing(settings)
    names = []
    for group, setting in zip(siblings, settings, strict=True):
        marks = ", ".join(f"{key}={setting.get(key)}" for key in keys)
        title = group[0].method.display_title
        names.append(f"{title} ({marks})" if marks else title)
    return names
