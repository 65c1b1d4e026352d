"""Partial class overlap: groups of queries by the teachers that know their class, and sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from dfbench.records.record import Record, RecordedScore
from dfbench.reporting.cells import span
from dfbench.reporting.lines import DEFAULT_METRIC, Line, lines, setting_key
from dfbench.reporting.roles import SECTIONS, section_of
from dfbench.scenarios.scenario import ScenarioName, parse_scenario

GROUPS = ("shared", "sketch-only", "photo-only")
"""Names of the groups in records; all groups share the gallery."""
ALL = "all"
"""All queries."""


def query_groups(records: Iterable[Record]) -> tuple[str, ...]:
    """The groups that occur in any of the records."""
    found = {name for record in records for name in record.groups}
    return tuple(name for name in GROUPS if name in found)


def group_scores(record: Record, group: str, representation: str = "") -> dict[str, RecordedScore]:
    """The scores of a query group; empty if the record has none."""
    if group == ALL:
        return record.representations.get(representation, {}) if representation else record.metrics
    if group not in record.groups:
        return {}
    found = record.groups[group]
    return found.representations.get(representation, {}) if representation else found.metrics


def group_values(line: Line, group: str, metric: str, representation: str = "") -> list[float]:
    """The metric of a group for each seed that has it."""
    found = (group_scores(record, group, representation) for record in line.records)
    return [scores[metric].value for scores in found if metric in scores]


def group_chance(record: Record, group: str) -> float | None:
    """`map@all` of a random ranking for a query group; None if the record has no such group."""
    if group == ALL:
        return record.chance
    return record.groups[group].chance if group in record.groups else None


def group_notes(records: Sequence[Record]) -> Iterator[str]:
    """Notes on the classes that the teachers know, and on the chance level of each group."""
    divisions = [record.division for record in records if record.division]
    if not divisions:
        return
    if divisions[0].unseen:
        seen = {len(division.shared) for division in divisions}
        yield (
            f"teachers and methods have seen {_counts(seen)} other classes; queries and gallery "
            "are all images of the unseen classes"
        )
        yield from _earlier_knowledge(records)
        return
    yield f"the teachers share {span([d.overlap for d in divisions])} of the union of their classes"
    for name in query_groups(records):
        own = [record.groups[name] for record in records if name in record.groups]
        yield (
            f"{name}: mAP@all of {_counts({group.queries for group in own})} queries, chance "
            f"{span([group.chance for group in own])}"
        )
    known = (
        f"the {modality} teacher {_counts({r.teachers[modality].classes for r in records})}"
        for modality in ("photo", "sketch")
    )
    yield f"classes: {', '.join(known)}; a teacher's accuracy is on its own classes"


def _earlier_knowledge(records: Sequence[Record]) -> Iterator[str]:
    """Notes on what networks may have learned of unseen classes by pre-training."""
    if any(record.recipe.initialisation == "imagenet" for record in records):
        yield (
            "networks start from ImageNet weights, so unseen classes that occur in ImageNet are "
            "not new to them (split s21 of Sketchy has no such class)"
        )
    if any(teacher.external for record in records for teacher in record.teachers.values()):
        yield "the pre-training of the external teachers is not known"


def _counts(numbers: set[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"


_WHOLE = 1.0


@dataclass(frozen=True)
class Series:
    """One method at several overlaps."""

    name: str
    by_overlap: dict[float, Line]
    """By requested overlap, ascending; the records of a line are its seeds."""

    @property
    def first(self) -> Record:
        """Any of the records, for what they have in common."""
        return next(iter(self.by_overlap.values())).first

    def values(
        self, overlap: float, metric: str, group: str = ALL, representation: str = ""
    ) -> list[float]:
        """The metric of a query group for each seed; empty if there is none."""
        line = self.by_overlap.get(overlap)
        return group_values(line, group, metric, representation) if line else []


@dataclass(frozen=True)
class Sweep:
    """All methods on one dataset at all overlaps."""

    dataset: str
    protocol: str
    """`overlap` (fixed union of classes) or `fixed-overlap` (fixed number of classes a teacher)."""
    series: tuple[Series, ...]
    """By section, best mean over the overlaps first."""

    @property
    def overlaps(self) -> tuple[float, ...]:
        """All requested overlaps, ascending."""
        return tuple(sorted({o for one in self.series for o in one.by_overlap}))

    @property
    def sections(self) -> dict[str, list[Series]]:
        """The methods by section, in the order of the tables."""
        by_section: dict[str, list[Series]] = {name: [] for name in SECTIONS}
        for one in self.series:
            by_section[section_of(one.first.method)].append(one)
        return {name: found for name, found in by_section.items() if found}

    def seeds(self, overlap: float) -> int:
        """The largest number of seeds of any method at an overlap."""
        lines = (one.by_overlap[overlap] for one in self.series if overlap in one.by_overlap)
        return max(len(line.records) for line in lines)

    def records(self, overlap: float) -> Iterator[Record]:
        """All records at an overlap."""
        for one in self.series:
            if overlap in one.by_overlap:
                yield from one.by_overlap[overlap].records


def sweeps(records: Iterable[Record], metric: str = DEFAULT_METRIC) -> list[Sweep]:
    """Records of partial overlap, by dataset and protocol.

    A record of `closed` is used as overlap 1 for a method without one: both are the same fit.
    """
    by_data: dict[tuple[str, str], dict[ScenarioName, list[Record]]] = {}
    for record in records:
        kinds = by_data.setdefault((record.data.name, record.data.fingerprint), {})
        kinds.setdefault(parse_scenario(record.scenario).kind, []).append(record)
    found = []
    for (name, _), kinds in sorted(by_data.items()):
        if "overlap" in kinds:
            series = _series(kinds["overlap"], kinds.get("closed", []), metric)
            found.append(Sweep(name, "overlap", series))
        if "fixed-overlap" in kinds:
            series = _series(kinds["fixed-overlap"], [], metric)
            found.append(Sweep(name, "fixed-overlap", series))
    return found


def _series(records: list[Record], closed: list[Record], metric: str) -> tuple[Series, ...]:
    by_setting: dict[str, dict[float, list[Record]]] = {}
    for record in records:
        overlap = float(parse_scenario(record.scenario).share or _WHOLE)
        by_setting.setdefault(setting_key(record), {}).setdefault(overlap, []).append(record)
    measured = {key for key, found in by_setting.items() if _WHOLE in found}
    for record in closed:
        key = setting_key(record)
        if key in by_setting and key not in measured:
            by_setting[key].setdefault(_WHOLE, []).append(record)
    shown = [one for found in by_setting.values() for own in found.values() for one in own]
    names = {setting_key(line.first): line.name for line in lines(shown)}
    series = [
        Series(names[key], {o: Line.of(names[key], found[o]) for o in sorted(found)})
        for key, found in by_setting.items()
    ]
    return tuple(sorted(series, key=lambda one: -_level(one, metric)))


def _level(series: Series, metric: str) -> float:
    means = [fmean(v) for o in series.by_overlap if (v := series.values(o, metric))]
    return fmean(means) if means else -1.0
