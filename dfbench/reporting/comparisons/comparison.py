"""Rows compared on what they share: what is asked, and the answer with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dfbench.records.record import MetricDefinition, Record
from dfbench.reporting.lines import DEFAULT_METRIC, Line

VERDICT_SEEDS = 3
"""Paired seeds from which on a difference gets a verdict."""

Statistic = Literal["difference", "ratio", "share"]
STATISTICS: Mapping[Statistic, Callable[..., Any]] = {
    "difference": lambda a, b: a - b,
    "ratio": lambda a, b: a / b,
    "share": lambda a, b, c: (a - c) / (b - c),
}
"""Of the means of two rows; `share` of three: how far a is on the way from c to b."""
DENOMINATORS: Mapping[Statistic, Callable[..., Any]] = {
    "ratio": lambda _, b: b,
    "share": lambda _, b, c: b - c,
}
"""What has to be positive for a statistic to mean something."""
Key = tuple[Any, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Side(_Part):
    """One representation of one row, as a comparison stores it."""

    label: str
    representation: str
    """Empty for the row's headline."""
    eval_ids: tuple[str, ...]
    """Its records, in the order of the seeds."""


class Comparison(_Part):
    """A statistic of rows' means over seeds and queries, with its 95 % interval."""

    statistic: Statistic
    dataset: str
    scenario: str
    metric: str
    definition: MetricDefinition
    sides: tuple[Side, ...]
    seeds: tuple[int, ...]
    resamples: int
    generator_seed: int
    value: float
    low: float | None
    """None, with `high`, where the denominator is not clearly positive."""
    high: float | None

    @property
    def key(self) -> Key:
        """What is compared: equal to the key of the question it answers."""
        sides = tuple((side.label, side.representation, side.eval_ids) for side in self.sides)
        return (self.statistic, self.metric, self.definition.version, sides)

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `not distinguishable`, or why there is none."""
        if len(self.seeds) < VERDICT_SEEDS:
            return f"no verdict: {count(len(self.seeds), 'seed')}"
        if self.low is None or self.high is None:
            return "no verdict: no interval"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not distinguishable"


@dataclass(frozen=True)
class Representation:
    """A line of the table and which of its representations is meant."""

    line: Line
    representation: str = ""

    @property
    def name(self) -> str:
        """The line's name, and the representation unless it is the headline."""
        return f"{self.line.name}, {self.representation}" if self.representation else self.line.name


@dataclass(frozen=True)
class Wanted:
    """A comparison that a table asks for."""

    statistic: Statistic
    sides: tuple[Representation, ...]
    metric: str = DEFAULT_METRIC

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that all sides have, with the same teachers and metric."""
        by_seed = [side.line.by_seed for side in self.sides]
        common = set(by_seed[0]).intersection(*by_seed[1:])
        return tuple(
            seed
            for seed in sorted(common)
            if len({_shared(rows[seed], self.metric) for rows in by_seed}) == 1
        )

    @cached_property
    def records(self) -> tuple[tuple[Record, ...], ...]:
        """By side, the records of those seeds."""
        return tuple(tuple(side.line.by_seed[s] for s in self.seeds) for side in self.sides)

    @property
    def means(self) -> tuple[float, ...]:
        """By side, the mean over those seeds, as the records have it."""
        return tuple(
            fmean(Line("", records).values(self.metric, side.representation))
            for side, records in zip(self.sides, self.records, strict=True)
        )

    @property
    def value(self) -> float | None:
        """The statistic of the means; None where its denominator is not positive."""
        if self.statistic in DENOMINATORS and DENOMINATORS[self.statistic](*self.means) <= 0:
            return None
        return float(STATISTICS[self.statistic](*self.means))

    @property
    def definition(self) -> MetricDefinition:
        """The metric's."""
        return self.records[0][0].definitions[self.metric]

    @property
    def stored_sides(self) -> tuple[Side, ...]:
        """The sides as a comparison stores them."""
        return tuple(
            Side(
                label=side.line.label,
                representation=side.representation,
                eval_ids=tuple(record.eval_id for record in records),
            )
            for side, records in zip(self.sides, self.records, strict=True)
        )

    @property
    def key(self) -> Key:
        """What is compared."""
        sides = tuple(
            (side.label, side.representation, side.eval_ids) for side in self.stored_sides
        )
        return (self.statistic, self.metric, self.definition.version, sides)


Answers = Mapping[Key, Comparison]
"""Comparisons by their key."""


def has(line: Line, metric: str, representation: str = "") -> bool:
    """Whether every record of a line has the metric in this representation."""
    return len(line.values(metric, representation)) == len(line.records)


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "seed"), count(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shared(record: Record, metric: str) -> tuple[Any, ...]:
    """What paired records of a seed have alike: teachers, and the version of the metric."""
    teachers = tuple((modality, t.identity) for modality, t in sorted(record.teachers.items()))
    return (*teachers, record.definitions[metric].version)
