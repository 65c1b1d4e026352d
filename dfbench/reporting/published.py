"""Published numbers with their sources, shipped as data: of the same methods, and zero-shot."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from dfbench.records.record import Record
from dfbench.scenarios.scenario import parse_scenario


@dataclass(frozen=True)
class Published:
    """The numbers of one paper for one method on one dataset."""

    source: str
    values: dict[str, float]
    """By metric."""


@dataclass(frozen=True)
class DataPair:
    """One objective with and without real data."""

    free: str
    """Label of the data-free method."""
    data: str
    """Label of the data-dependent method."""
    printed: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By dataset, the published mAP@all with and without data."""


@dataclass(frozen=True)
class Paper:
    """A paper and its table of results."""

    source: str
    scenario: str
    proposes: str | None
    """Label of the proposed method; the paper's other methods are its baselines."""
    rows: dict[str, dict[str, Published]]
    """By dataset and method."""
    twins: tuple[DataPair, ...]

    @property
    def baselines(self) -> tuple[str, ...]:
        """Labels of the baselines of the proposed method, in the paper's order."""
        names = dict.fromkeys(name for rows in self.rows.values() for name in rows)
        return tuple(name for name in names if name != self.proposes)

    def on(self, dataset: str, scenario: str) -> dict[str, Published]:
        """Its numbers on a dataset, by method; empty in any scenario but its own."""
        return self.rows.get(dataset, {}) if scenario == self.scenario else {}


@cache
def papers() -> tuple[Paper, ...]:
    """All papers, in file order."""
    folder = files("dfbench_benchmarks") / "reported"
    tables = [entry for entry in folder.iterdir() if entry.is_file()]
    entries = sorted(tables, key=lambda entry: entry.name)
    return tuple(_paper(tomllib.loads(entry.read_text(encoding="utf-8"))) for entry in entries)


def published(dataset: str, scenario: str) -> dict[str, Published]:
    """Published numbers on a dataset, by method name; empty if there are none."""
    return {
        method: numbers
        for paper in papers()
        for method, numbers in paper.on(dataset, scenario).items()
    }


def _paper(content: dict[str, Any]) -> Paper:
    twins = content.pop("twins", {})
    tables = {name: part for name, part in content.items() if isinstance(part, dict)}
    return Paper(
        source=content["source"],
        scenario=content["scenario"],
        proposes=content.get("proposes"),
        rows={
            dataset: {
                method: Published(
                    content["source"], dict(zip(content["metrics"], values, strict=True))
                )
                for method, values in table.items()
            }
            for dataset, table in tables.items()
        },
        twins=tuple(_twins(free, part) for free, part in twins.items()),
    )


def _twins(free: str, content: dict[str, Any]) -> DataPair:
    data = content["twin"]
    printed = {name: (pair[0], pair[1]) for name, pair in content.items() if name != "twin"}
    return DataPair(free, data, printed)


@dataclass(frozen=True)
class PublishedOverlap:
    """The bars of one published figure."""

    source: str
    method: str
    overlaps: tuple[float, ...]
    bars: dict[str, tuple[float, ...]]
    """mAP@all by dataset, one value per overlap."""
    reading_error: float
    """Error of a value read from pixels, in either direction."""

    def of(self, dataset: str) -> PublishedOverlap:
        """The bars of a dataset; all bars, as an indication of the shape, if it has none."""
        own = {dataset: self.bars[dataset]} if dataset in self.bars else self.bars
        return PublishedOverlap(self.source, self.method, self.overlaps, own, self.reading_error)


@cache
def published_overlap() -> PublishedOverlap:
    """The bars of Chaudhuri et al. 2023."""
    file = files("dfbench_benchmarks") / "reported" / "overlap" / "chaudhuri2023.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    return PublishedOverlap(
        source=content["source"],
        method=content["method"],
        overlaps=tuple(content["overlap"]),
        bars={name: tuple(values) for name, values in content["bars"].items()},
        reading_error=content["reading_error"],
    )


ZERO_SHOT = "zero-shot, with data, as published"
"""Title of their section of a table."""
_UNSTATED = " *"


@dataclass(frozen=True)
class ZeroShot:
    """The published numbers of one method on the unseen classes of one dataset."""

    method: str
    dataset: str
    splits: tuple[str, ...]
    """The possible lists of unseen classes; several if the source does not state which."""
    values: dict[str, float]
    """By metric, as published; each computed with its authors' own code."""
    source: str

    @property
    def name(self) -> str:
        """The method, marked if its list of unseen classes is not stated."""
        return self.method + (_UNSTATED if len(self.splits) > 1 else "")


def elsewhere(record: Record) -> list[ZeroShot]:
    """Published results on the unseen classes of a record, the best of each metric first."""
    split = parse_scenario(record.scenario).split
    found = zero_shot(record.data.name, split) if split else []
    return sorted(found, key=lambda one: (min(one.values), -next(iter(one.values.values()))))


def printed_notes(others: list[ZeroShot]) -> Iterator[str]:
    """Sources of the published rows, and what these do not state."""
    if not others:
        return
    sources = "; ".join(dict.fromkeys(one.source for one in others))
    yield (
        f"{ZERO_SHOT}: {sources}; each with its authors' own code, networks and definition of the "
        "metric"
    )
    if any(len(one.splits) > 1 for one in others):
        yield "* the number of unseen classes is the same, but the source does not list them"


def zero_shot(dataset: str, split: str) -> list[ZeroShot]:
    """Published results on a dataset whose split is, or may be, this one; each once."""
    found: dict[tuple[str, tuple[tuple[str, float], ...]], ZeroShot] = {}
    for one in _all():
        if one.dataset == dataset and split.casefold() in map(str.casefold, one.splits):
            found.setdefault((one.method, tuple(one.values.items())), one)
    return list(found.values())


@cache
def _all() -> tuple[ZeroShot, ...]:
    folder = files("dfbench_benchmarks") / "reported" / "zero_shot"
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    texts = (entry.read_text(encoding="utf-8") for entry in entries)
    return tuple(one for text in texts for one in _page(tomllib.loads(text)))


def _page(content: dict[str, Any]) -> Iterator[ZeroShot]:
    for table in content["tables"]:
        stated = {name: split for split, names in table.get("lists", {}).items() for name in names}
        for method, values in table["rows"].items():
            yield ZeroShot(
                method=method,
                dataset=table["dataset"],
                splits=(stated[method],) if method in stated else tuple(table["splits"]),
                # Rows may lack the last columns of their table.
                values=dict(zip(table["metrics"], values, strict=False)),
                source=content["source"],
            )
