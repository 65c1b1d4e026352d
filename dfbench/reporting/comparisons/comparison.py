"""Paired comparisons between methods: what is compared, and the stored result with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from dfbench.records.record import MetricDefinition, Record, TeacherRecord
from dfbench.reporting.lines import DEFAULT_METRIC, Line

VERDICT_SEEDS = 3
"""Paired seeds needed for a verdict."""

Key = tuple[Any, ...]
Statistic = Literal["difference", "ratio", "share"]
STATISTICS: Mapping[Statistic, Callable[..., Any]] = {
    "difference": lambda a, b: a - b,
    "ratio": lambda a, b: a / b,
    "share": lambda a, b, c: (a - c) / (b - c),
}
"""Of the means of two methods; `share` of three: the fraction of the way from c to b that a is."""
DENOMINATORS: Mapping[Statistic, Callable[..., Any]] = {
    "ratio": lambda _, b: b,
    "share": lambda _, b, c: b - c,
}
"""The denominator of a statistic, which must be positive."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Side(_Part):
    """One representation of one method, as stored in a comparison."""

    label: str
    representation: str
    """Empty for the method's main embeddings."""
    eval_ids: tuple[str, ...]
    """Its records, in seed order."""
    reranker: str = ""
    """Label of the re-ranking; empty for the plain ranking."""

    @property
    def key(self) -> Key:
        """Its part of the identity of a comparison."""
        return self.label, self.representation, self.eval_ids, self.reranker

    @model_serializer(mode="wrap")
    def _content(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = whole(self)
        if not self.reranker:
            content.pop("reranker")
        return content


class Comparison(_Part):
    """A statistic of the methods' means over seeds and queries, with its 95 % interval."""

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
        """Identity of the comparison; equal to the key of the `Wanted` that it answers."""
        sides = tuple(side.key for side in self.sides)
        return (self.statistic, self.metric, self.definition.version, sides)

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `not distinguishable`, or why there is no verdict."""
        if len(self.seeds) < VERDICT_SEEDS:
            return f"no verdict: {count(len(self.seeds), 'seed')}"
        if self.low is None or self.high is None:
            return "no verdict: no interval"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not distinguishable"


@dataclass(frozen=True)
class Representation:
    """A line of a table and one of its representations."""

    line: Line
    representation: str = ""
    reranker: str = ""
    """Label of a re-ranking; empty for the plain ranking."""

    @property
    def name(self) -> str:
        """The line's name, followed by the representation unless it is the main embeddings."""
        return f"{self.line.name}, {self.representation}" if self.representation else self.line.name

    @property
    def by_seed(self) -> dict[int, Record]:
        """Its records by seed; of a re-ranking, those that have it in its newest version."""
        found = self.line.by_seed
        if not self.reranker:
            return found
        versions = {
            seed: record.reranked[self.reranker].reranker.version
            for seed, record in found.items()
            if self.reranker in record.reranked
        }
        return {s: found[s] for s, version in versions.items() if version == max(versions.values())}


@dataclass(frozen=True)
class Wanted:
    """A comparison requested by a table."""

    statistic: Statistic
    sides: tuple[Representation, ...]
    metric: str = DEFAULT_METRIC

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds common to all sides, with the same teachers and metric version."""
        by_seed = [side.by_seed for side in self.sides]
        common = set(by_seed[0]).intersection(*by_seed[1:])
        return tuple(
            seed
            for seed in sorted(common)
            if _comparable([rows[seed] for rows in by_seed], self.metric)
        )

    @cached_property
    def records(self) -> tuple[tuple[Record, ...], ...]:
        """For each side, the records of those seeds."""
        return tuple(tuple(side.line.by_seed[s] for s in self.seeds) for side in self.sides)

    @property
    def means(self) -> tuple[float, ...]:
        """For each side, the mean over those seeds, from the records."""
        return tuple(
            fmean(Line("", records).values(self.metric, side.representation, side.reranker))
            for side, records in zip(self.sides, self.records, strict=True)
        )

    @property
    def value(self) -> float | None:
        """The statistic of the means; None if its denominator is not positive."""
        if self.statistic in DENOMINATORS and DENOMINATORS[self.statistic](*self.means) <= 0:
            return None
        return float(STATISTICS[self.statistic](*self.means))

    @property
    def definition(self) -> MetricDefinition:
        """Definition of the metric."""
        return self.records[0][0].definitions[self.metric]

    @property
    def stored_sides(self) -> tuple[Side, ...]:
        """The sides as a comparison stores them."""
        return tuple(
            Side(
                label=side.line.label,
                representation=side.representation,
                eval_ids=tuple(record.eval_id for record in records),
                reranker=side.reranker,
            )
            for side, records in zip(self.sides, self.records, strict=True)
        )

    @property
    def key(self) -> Key:
        """Identity of the comparison."""
        sides = tuple(side.key for side in self.stored_sides)
        return (self.statistic, self.metric, self.definition.version, sides)


Answers = Mapping[Key, Comparison]
"""Comparisons by their key."""


def has(line: Line, metric: str, representation: str = "") -> bool:
    """Whether every record of a line has the metric for this representation."""
    return len(line.values(metric, representation)) == len(line.records)


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "seed"), count(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _comparable(records: Sequence[Record], metric: str) -> bool:
    """Whether records of a seed can be paired: with the same teachers and metric version.

    A teacher's identity is that of its recipe: trained on two processors that round differently,
    it is two networks. Records without a hash of its weights tell them apart by accuracy.
    """
    if len({record.definitions[metric].version for record in records}) > 1:
        return False
    for teachers in zip(*(_teachers(record) for record in records), strict=True):
        hashed = all(teacher.weights for teacher in teachers)
        networks = {(t.identity, t.weights if hashed else t.accuracy) for t in teachers}
        if len(networks) > 1:
            return False
    return True


def _teachers(record: Record) -> list[TeacherRecord]:
    return [record.teachers[modality] for modality in sorted(record.teachers)]
