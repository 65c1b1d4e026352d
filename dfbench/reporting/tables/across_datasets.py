"""Methods by datasets, as in the tables of papers, one table per scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from dfbench.identity import canonical_json
from dfbench.records.record import Record
from dfbench.reporting.cells import NONE, metric_title, short, span
from dfbench.reporting.lines import Line, lines, setting_key, tables
from dfbench.reporting.naming import Usual
from dfbench.reporting.published import Paper, papers
from dfbench.reporting.roles import SECTIONS, remarks, section_of
from dfbench.reporting.tables.columns import (
    NAMES,
    SCORES,
    SEEDS,
    WORDS,
    Column,
    Kind,
    Table,
    family,
)
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import HEADLINE

_POSTERIOR = "posterior"
_BY_DATASET = ("alternative",)
"""Settings that follow from the dataset."""


@dataclass(frozen=True)
class DatasetLine:
    """One method configuration on all its datasets."""

    name: str
    by_dataset: dict[str, Line]

    @property
    def first(self) -> Record:
        """Any of the records, for what they have in common."""
        return next(iter(self.by_dataset.values())).first

    @property
    def seeds(self) -> list[int]:
        """The number of seeds on each dataset."""
        return [len(line.records) for line in self.by_dataset.values()]

    def values(self, dataset: str, metric: str, representation: str = "") -> list[float]:
        """The metric for each seed on a dataset; empty if there is none."""
        line = self.by_dataset.get(dataset)
        return line.values(metric, representation) if line else []


def across_datasets(records: Iterable[Record], metrics: Sequence[str] = HEADLINE) -> list[Layout]:
    """One table per scenario: a row per method configuration, metric columns for each dataset.

    Each dataset has its metrics and the first metric of the posterior representation. Different
    data under one dataset name count as different datasets. Published numbers follow in a section
    of their own.
    """
    by_scenario: dict[str, list[Record]] = {}
    for record in records:
        by_scenario.setdefault(record.scenario_title, []).append(record)
    return [_table(name, found, metrics) for name, found in sorted(by_scenario.items())]


def _table(scenario: str, records: list[Record], metrics: Sequence[str]) -> Layout:
    by_dataset = _by_dataset(records)
    by_section: dict[str, list[DatasetLine]] = {name: [] for name in SECTIONS}
    for entry in _entries(by_dataset, metrics[0]):
        by_section[section_of(entry.first.method)].append(entry)
    columns, shown = _columns(by_dataset, metrics)
    printed = list(_printed(scenario, list(by_dataset), metrics))
    table = Table(columns, shown, by_section, {"as published": printed})
    width = len(metrics) + 1
    return table.layout(
        f"{scenario}: {', '.join(by_dataset)}",
        list(_notes(by_dataset, metrics, bool(printed))),
        {"scenario": scenario, "datasets": list(by_dataset), "metrics": list(metrics)},
        spans=(("", 1), *((dataset, width) for dataset in by_dataset), ("", 1)),
    )


_Columns = tuple[Column[DatasetLine], ...]


def _columns(datasets: Iterable[str], metrics: Sequence[str]) -> tuple[_Columns, _Columns]:
    """All columns, and those that are printed."""
    name: Column[DatasetLine] = Column(lambda one: one.name, WORDS, "method", ("name",))
    seeds: Column[DatasetLine] = Column(lambda one: one.seeds, _LEAST_TO_MOST, "seeds")
    columns: list[Column[DatasetLine]] = [
        Column(lambda one: section_of(one.first.method), WORDS, key=("section",)),
        Column(lambda one: one.first.method.label, WORDS, key=("method",)),
        name,
        Column(lambda one: one.first.method.needs, NAMES, key=("needs",)),
        family("datasets"),
    ]
    shown = [name]
    for dataset in datasets:
        place = ("datasets", dataset)
        columns.append(Column(partial(_seeds_on, dataset), SEEDS, key=(*place, "seeds")))
        features = [
            _score_column(dataset, metric, "", metric_title(metric), (*place, "metrics", metric))
            for metric in metrics
        ]
        posteriors = [
            _score_column(dataset, metric, _POSTERIOR, _POSTERIOR, (*place, _POSTERIOR, metric))
            for metric in metrics
        ]
        columns += [*features, *posteriors]
        shown += [*features, posteriors[0]]
    return tuple(columns), (*shown, seeds)


def _seeds_on(dataset: str, one: DatasetLine) -> list[int] | None:
    line = one.by_dataset.get(dataset)
    return [record.seed for record in line.records] if line else None


def _score_column(
    dataset: str, metric: str, representation: str, title: str, key: tuple[str, ...]
) -> Column[DatasetLine]:
    def value(one: DatasetLine) -> list[float] | None:
        return one.values(dataset, metric, representation) if dataset in one.by_dataset else None

    return Column(value, SCORES, title, key, ranked=True)


def _least_to_most(counts: Sequence[int]) -> str:
    return " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))


_LEAST_TO_MOST: Kind[Sequence[int]] = Kind(text=_least_to_most)


def _by_dataset(records: list[Record]) -> dict[str, list[Record]]:
    """Records by dataset name, numbered if different data share a name."""
    found: dict[str, list[Record]] = {}
    for table in tables(records):
        name = table[0].data.name
        number = sum(key.split(" (")[0] == name for key in found) + 1
        found[name if number == 1 else f"{name} ({number})"] = table
    return found


def _entries(by_dataset: dict[str, list[Record]], metric: str) -> list[DatasetLine]:
    """Records grouped by method, configuration, budget, recipe and numerics.

    Sorted by number of datasets, then by mean.
    """
    found: dict[str, dict[str, list[Record]]] = {}
    for dataset, records in by_dataset.items():
        for record in records:
            found.setdefault(_key(record), {}).setdefault(dataset, []).append(record)
    together = [record for records in by_dataset.values() for record in records]
    names = _names([next(iter(own.values()))[0] for own in found.values()], together)
    entries = [
        DatasetLine(names[key], {d: Line.of(names[key], records) for d, records in own.items()})
        for key, own in found.items()
    ]
    return sorted(entries, key=lambda entry: (-len(entry.by_dataset), -_level(entry, metric)))


def _key(record: Record) -> str:
    """Equal for records that differ only in dataset and seed."""
    parts = record.method.config, record.budget, record.recipe, record.numerics
    given = sorted(str(teacher.external) for teacher in record.teachers.values())
    return canonical_json(
        [
            record.method.label,
            record.method.version,
            *(p if isinstance(p, dict | str) else p.model_dump(mode="json") for p in parts),
            given,
        ]
    )


def _names(examples: list[Record], together: list[Record]) -> dict[str, str]:
    usual = Usual.of(together, _BY_DATASET)
    by_setting = {setting_key(line.first): line.name for line in lines(examples, usual=usual)}
    return {_key(record): by_setting[setting_key(record)] for record in examples}


def _level(entry: DatasetLine, metric: str) -> float:
    means = [fmean(v) for d in entry.by_dataset if (v := entry.values(d, metric))]
    return fmean(means) if means else -1.0


def _printed(
    scenario: str, datasets: list[str], metrics: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """Published rows on any of the datasets."""
    for paper in papers():
        tables = {dataset: paper.on(dataset, scenario) for dataset in datasets}
        for method in dict.fromkeys(name for rows in tables.values() for name in rows):
            cells = []
            for rows in tables.values():
                values = rows[method].values if method in rows else {}
                cells += [short(values[m]) if m in values else NONE for m in metrics] + [NONE]
            yield (method, *cells, NONE)


def _sources(scenario: str, datasets: Iterable[str]) -> list[Paper]:
    return [p for p in papers() if any(p.on(dataset, scenario) for dataset in datasets)]


def _notes(
    by_dataset: dict[str, list[Record]], metrics: Sequence[str], printed: bool
) -> Iterator[str]:
    for dataset, records in by_dataset.items():
        first = records[0]
        accuracies = "; ".join(
            f"{m} {span([r.teachers[m].accuracy for r in records])}" for m in sorted(first.teachers)
        )
        yield (
            f"{dataset}: {len(first.data.classes)} classes, {first.data.queries} queries, "
            f"{first.data.gallery} photos; chance mAP@all {short(first.chance)}; teacher accuracy "
            f"{accuracies}"
        )
    together = [record for records in by_dataset.values() for record in records]
    yield from Usual.of(together, _BY_DATASET).notes(together)
    first = together[0]
    for name in metrics:
        if name in first.definitions:
            yield f"{metric_title(name)}: {first.definitions[name].formula}"
    yield "mean ± standard deviation over seeds"
    yield f"posterior: {metric_title(metrics[0])} with the encoders' posteriors, sum_c p_c q_c"
    yield from remarks(together)
    if printed:
        sources = "; ".join(p.source for p in _sources(first.scenario, by_dataset))
        yield (
            f"as published: {sources}; the splits differ and no variance is published, so there is "
            "no verdict"
        )
