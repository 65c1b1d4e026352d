"""The table of methods: one per dataset and scenario, mean and deviation over seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from dfbench.identity import canonical_json
from dfbench.reporting.layout import Layout
from dfbench.reporting.published import Published, published
from dfbench.runs.record import Record

HEADLINE = ("map@all", "prec@200")
_TITLES = {"map@all": "mAP@all", "prec@200": "Prec@200"}


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

    def values(self, metric: str, reading: str = "") -> list[float]:
        """The metric on each seed; empty where the row has no such reading."""
        scores = [r.readings.get(reading, {}) if reading else r.metrics for r in self.records]
        return [score[metric].value for score in scores if metric in score]


def leaderboards(records: Iterable[Record]) -> list[Layout]:
    """One table per dataset content and scenario, best method first."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        key = (record.data.name, record.scenario, record.data.fingerprint)
        groups.setdefault(key, []).append(record)
    return [_leaderboard(groups[key]) for key in sorted(groups)]


def mean_and_deviation(values: list[float]) -> str:
    """`.612 ± .010`, or the value alone for one seed, or a dash for none.

    >>> mean_and_deviation([0.60, 0.62])
    '.610 ± .014'
    """
    if not values:
        return "-"
    mean = short(fmean(values))
    return f"{mean} ± {short(stdev(values))}" if len(values) > 1 else mean


def short(value: float) -> str:
    """Three decimals without the leading zero, as tables of the field print them.

    >>> short(0.0417), short(1.0)
    ('.042', '1.000')
    """
    return f"{value:.3f}".removeprefix("0")


def _leaderboard(records: list[Record]) -> Layout:
    first = records[0]
    lines = sorted(_lines(records), key=lambda line: -fmean(line.values("map@all")))
    reported = published(first.data.name, first.scenario)
    header = ["method", *(_TITLES[m] for m in HEADLINE), "posterior", "seeds", "needs"]
    if reported:
        header.append("published")
    return Layout(
        title=f"{first.data.name}, {first.scenario}, {len(first.data.classes)} classes",
        header=tuple(header),
        rows=tuple(_row(line, reported) for line in lines),
        notes=tuple(_notes(records, reported)),
        content=_content(first, lines, reported),
    )


def _lines(records: list[Record]) -> list[Line]:
    by_setting: dict[str, dict[int, Record]] = {}
    for record in records:
        by_setting.setdefault(canonical_json(_settings(record)), {})[record.seed] = record
    groups = [tuple(seeds[s] for s in sorted(seeds)) for seeds in by_setting.values()]
    by_label: dict[str, list[tuple[Record, ...]]] = {}
    for group in groups:
        by_label.setdefault(group[0].row.label, []).append(group)
    return [
        Line(name, group)
        for siblings in by_label.values()
        for name, group in zip(_names(siblings), siblings, strict=True)
    ]


def _settings(record: Record) -> dict[str, Any]:
    return {
        "label": record.row.label,
        "version": record.row.version,
        "numerics": record.numerics,
        "alternative": record.data.alternative,
        **record.row.config,
        **{f"budget.{k}": v for k, v in record.budget.model_dump(mode="json").items()},
        **{f"teachers.{k}": v for k, v in record.recipe.model_dump(mode="json").items()},
    }


def _names(siblings: list[tuple[Record, ...]]) -> list[str]:
    """Titles; where one label has several configurations, each with the settings that differ."""
    settings = [_settings(group[0]) for group in siblings]
    keys = {key for setting in settings for key in setting}
    differing = sorted(key for key in keys if len({repr(s.get(key)) for s in settings}) > 1)
    names = []
    for group, setting in zip(siblings, settings, strict=True):
        marks = ", ".join(f"{key}={setting.get(key)}" for key in differing)
        title = group[0].row.display_title
        names.append(f"{title} ({marks})" if marks else title)
    return names


def _row(line: Line, reported: dict[str, Published]) -> tuple[str, ...]:
    cells = [line.name, *(mean_and_deviation(line.values(m)) for m in HEADLINE)]
    cells.append(mean_and_deviation(line.values("map@all", "posterior")))
    cells.append(str(len(line.records)))
    cells.append(", ".join(line.first.row.needs) or "-")
    if reported:
        cells.append(_published_cell(_published(line, reported)))
    return tuple(cells)


def _published(line: Line, reported: dict[str, Published]) -> Published | None:
    return None if line.first.row.variant else reported.get(line.first.row.name)


def _published_cell(paper: Published | None) -> str:
    return " / ".join(short(paper.values[m]) for m in HEADLINE) if paper else "-"


def _notes(records: list[Record], reported: dict[str, Published]) -> list[str]:
    first = records[0]
    accuracies = {m: [r.teachers[m].accuracy for r in records] for m in first.teachers}
    notes = [
        f"{first.data.queries} queries, {first.data.gallery} photos; chance mAP@all "
        f"{short(first.chance)}; teacher accuracy "
        + ", ".join(f"{m} {_range(values)}" for m, values in sorted(accuracies.items()))
    ]
    for name in HEADLINE:
        ceiling = first.metrics[name].ceiling
        limit = f" (at most {short(ceiling)} here)" if ceiling is not None and ceiling < 1 else ""
        notes.append(f"{_TITLES[name]}: {first.definitions[name].formula}{limit}")
    notes.append("mean ± standard deviation over seeds")
    notes.append("posterior: mAP@all of a second reading, the trained encoders' sum_c p_c q_c")
    notes.extend(f"published: {source}" for source in sorted({p.source for p in reported.values()}))
    return notes


def _range(values: list[float]) -> str:
    low, high = short(min(values)), short(max(values))
    return low if low == high else f"{low} to {high}"


def _content(first: Record, lines: list[Line], reported: dict[str, Published]) -> dict[str, Any]:
    return {
        "dataset": first.data.name,
        "scenario": first.scenario,
        "chance": first.chance,
        "definitions": {
            name: definition.model_dump() for name, definition in first.definitions.items()
        },
        "rows": [_json_row(line, _published(line, reported)) for line in lines],
    }


def _json_row(line: Line, paper: Published | None) -> dict[str, Any]:
    names = list(line.first.metrics)
    return {
        "method": line.first.row.label,
        "name": line.name,
        "needs": list(line.first.row.needs),
        "seeds": [record.seed for record in line.records],
        "metrics": {name: line.values(name) for name in names},
        "readings": {
            reading: {name: line.values(name, reading) for name in names}
            for reading in line.first.readings
        },
        "published": {"source": paper.source, **paper.values} if paper else None,
        "records": [record.eval_id for record in line.records],
    }
