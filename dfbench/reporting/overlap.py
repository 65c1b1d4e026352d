"""Records grouped by the share of classes known to both teachers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

from dfbench.records.record import Record
from dfbench.reporting.lines import DEFAULT_METRIC, Line, lines, setting_key
from dfbench.reporting.query_groups import ALL, group_values
from dfbench.reporting.roles import SECTIONS, section_of
from dfbench.scenarios.scenario import Kind, parse_scenario

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
    by_data: dict[tuple[str, str], dict[Kind, list[Record]]] = {}
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
    names = _names([next(iter(found.values()))[0] for found in by_setting.values()])
    series = [
        Series(names[key], {o: Line.of(names[key], found[o]) for o in sorted(found)})
        for key, found in by_setting.items()
    ]
    return tuple(sorted(series, key=lambda one: -_level(one, metric)))


def _names(examples: list[Record]) -> dict[str, str]:
    """By setting, a name that distinguishes each method configuration from all others."""
    return {setting_key(line.first): line.name for line in lines(examples)}


def _level(series: Series, metric: str) -> float:
    means = [fmean(v) for o in series.by_overlap if (v := series.values(o, metric))]
    return fmean(means) if means else -1.0
