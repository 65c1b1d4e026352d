"""Charts of the overview, as coordinates of inline SVG: methods with intervals, overlap curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import TypeVar

from dfbench.plugins.info import MethodInfo
from dfbench.reporting.cells import short
from dfbench.reporting.comparisons.intervals import SeedMean, measured
from dfbench.reporting.lines import DEFAULT_METRIC, Line
from dfbench.reporting.overlap import Series, Sweep
from dfbench.reporting.published import published, published_overlap
from dfbench.reporting.roles import SECTIONS, roles, section_of
from dfbench.reporting.run_folders import RunFolders

WIDTH = 380
"""Width of a chart in its own units, about its pixels on a page."""
LEFT, RIGHT = 158, 336
"""Ends of the axis of a chart of methods; names are on its left, scores on its right."""
MOST_METHODS = 10
"""Methods in a chart; the page of the table has all."""
_LINE, _HEADING = 22, 25
_LETTERS = 23
"""Longest name that fits next to the axis."""
_STEPS = (0.02, 0.05, 0.1, 0.2)
"""Distance between two marks of an axis."""
_MARKS = 6
_POSTERIOR = "posterior"
Item = TypeVar("Item")


def axis_marks(most: float) -> tuple[float, ...]:
    """Round numbers from 0 to at least `most`."""
    step = next((s for s in _STEPS if most / s <= _MARKS), _STEPS[-1])
    return tuple(round(step * number, 2) for number in range(ceil(most / step) + 1))


def line_key(line: Line) -> tuple[str, ...]:
    """Equal for lines of the same runs, whatever their names."""
    return tuple(record.eval_id for record in line.records)


@dataclass(frozen=True)
class Range:
    """An interval on the axis."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class MethodRow:
    """One method of a chart."""

    shown: str
    """Its name, shortened if it does not fit."""
    y: float
    ranges: dict[str, Range]
    """By representation."""
    score: str
    told: str
    """Name, score, interval and published number in words."""
    reference: bool
    """Whether it is the training-free method that others should outperform."""
    published: float | None
    """Place of the published number."""


@dataclass(frozen=True)
class MethodChart:
    """The methods of one table with their intervals."""

    headings: tuple[tuple[str, float], ...]
    """Titles of sections with their places."""
    rows: tuple[MethodRow, ...]
    ticks: tuple[tuple[float, str], ...]
    chance: float
    reference: float | None
    height: float
    omitted: int
    """Number of the table's lines that are not in the chart."""

    @property
    def summary(self) -> str:
        """The chart in words."""
        return "; ".join(row.told for row in self.rows)


def method_chart(
    lines: Sequence[Line], found: Mapping[tuple[str, ...], Mapping[str, SeedMean]], total: int
) -> MethodChart:
    """The chart of comparable lines of one table, by section, best first.

    `found` has the intervals by `line_key` and representation; `total` counts the table's lines.
    """
    chosen = _chosen(lines, [line.first.method for line in lines], MOST_METHODS)
    first = lines[0].first
    printed = {line_key(line): _printed(line) for line in chosen}
    ends = [m.high for line in chosen for m in found[line_key(line)].values()]
    ends += [first.chance, *(value for value in printed.values() if value is not None)]
    marks = axis_marks(max(ends))
    scale = _Scale(LEFT, RIGHT, marks[-1])
    rows: list[MethodRow] = []
    headings: list[tuple[str, float]] = []
    height = 0.0
    for section in SECTIONS:
        own = [line for line in chosen if section_of(line.first.method) == section]
        if own:
            headings.append((section, height + _HEADING - 8))
            height += _HEADING
        for line in own:
            key = line_key(line)
            rows.append(_method_row(line, found[key], printed[key], height + _LINE / 2, scale))
            height += _LINE
    bars = [row.ranges[""].value for row in rows if row.reference]
    return MethodChart(
        headings=tuple(headings),
        rows=tuple(rows),
        ticks=tuple((scale(mark), f"{mark:g}") for mark in marks),
        chance=scale(first.chance),
        reference=bars[0] if bars else None,
        height=height,
        omitted=total - len(chosen),
    )


@dataclass(frozen=True)
class _Scale:
    """From a value to its place on an axis."""

    start: float
    end: float
    most: float
    least: float = 0.0

    def __call__(self, value: float) -> float:
        share = (value - self.least) / ((self.most - self.least) or 1)
        return round(self.start + (self.end - self.start) * share, 1)


def _chosen(items: Sequence[Item], methods: Sequence[MethodInfo], most: int) -> list[Item]:
    """At most so many in their order; variants, and last the reference, are left out first."""
    bar = roles().bar

    def rank(number: int) -> tuple[bool, bool, int]:
        return methods[number].label != bar, methods[number].variant is not None, number

    return [items[number] for number in sorted(sorted(range(len(items)), key=rank)[:most])]


def _printed(line: Line) -> float | None:
    """The published score of a method on this dataset and scenario."""
    first = line.first
    if first.method.variant is not None:
        return None
    found = published(first.data.name, first.scenario_title).get(first.method.name)
    return found.values.get(DEFAULT_METRIC) if found else None


def _method_row(
    line: Line,
    found: Mapping[str, SeedMean],
    printed: float | None,
    y: float,
    scale: Callable[[float], float],
) -> MethodRow:
    main, posterior = found[""], found.get(_POSTERIOR)
    told = f"{line.name} {short(main.value)} [{short(main.low)}, {short(main.high)}]"
    told += f", posterior {short(posterior.value)}" if posterior else ""
    told += f", published {short(printed)}" if printed is not None else ""
    return MethodRow(
        shown=_fitting(line.name),
        y=y,
        ranges={r: Range(scale(m.low), scale(m.value), scale(m.high)) for r, m in found.items()},
        score=short(main.value),
        told=told,
        reference=line.label == roles().bar,
        published=None if printed is None else scale(printed),
    )


def _fitting(name: str) -> str:
    """A name that fits; a long one keeps its end: the variant, or the last of its settings."""
    if len(name) <= _LETTERS:
        return name
    start, bracket, variant = name.rpartition(" [")
    setting = name.replace("(", " ").rpartition(" ")[2]
    end = "…"
    if bracket and len(variant) < _LETTERS // 2:
        end = f"… [{variant}"
    elif name.endswith(")") and "=" in setting and len(setting) < _LETTERS * 2 // 3:
        start, end = name.partition(" (")[0], f"… ({setting}"
    return (start if end != "…" else name)[: _LETTERS - len(end)].rstrip(" (") + end


CURVE_LEFT, CURVE_RIGHT, CURVE_TOP, CURVE_BOTTOM = 34, 366, 10, 190
"""The area of an overlap chart."""
MOST_CURVES = 6


@dataclass(frozen=True)
class CurvePoint:
    """A score at one overlap, with its interval."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class DrawnCurve:
    """One method at several overlaps."""

    name: str
    points: tuple[CurvePoint, ...]
    told: str

    @property
    def path(self) -> str:
        """Its line."""
        return _path([(point.x, point.y) for point in self.points])


@dataclass(frozen=True)
class OverlapChart:
    """Scores by class overlap on one dataset."""

    protocol: str
    curves: tuple[DrawnCurve, ...]
    chance: str
    """Its line."""
    published: tuple[tuple[float, float], ...]
    """Places of published numbers; none for a dataset without them."""
    published_of: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    omitted: int

    @property
    def summary(self) -> str:
        """The chart in words."""
        return "; ".join(curve.told for curve in self.curves)


def overlap_chart(sweep: Sweep, runs: RunFolders) -> OverlapChart | None:
    """The curves of the best methods over the overlaps; None for a single overlap."""
    overlaps = sweep.overlaps
    if len(overlaps) < 2:
        return None
    chosen = _chosen(sweep.series, [one.first.method for one in sweep.series], MOST_CURVES)
    found = {one.name: _measured(one, runs) for one in chosen}
    bars = published_overlap().of(sweep.dataset)
    printed = dict(zip(bars.overlaps, bars.bars.get(sweep.dataset, ()), strict=False))
    chances = {o: fmean(record.chance for record in sweep.records(o)) for o in overlaps}
    tops = [m.high for points in found.values() for m in points.values()]
    marks = axis_marks(max([*tops, *printed.values(), *chances.values()]))
    across = _Scale(CURVE_LEFT + 12, CURVE_RIGHT - 8, max(overlaps), min(overlaps))
    up = _Scale(CURVE_BOTTOM, CURVE_TOP, marks[-1])
    inside = {o: value for o, value in printed.items() if overlaps[0] <= o <= overlaps[-1]}
    return OverlapChart(
        protocol=sweep.protocol,
        curves=tuple(_curve(one, found[one.name], across, up) for one in chosen),
        chance=_path([(across(o), up(value)) for o, value in chances.items()]),
        published=tuple((across(o), up(value)) for o, value in inside.items()),
        published_of=bars.method,
        x_ticks=tuple((across(overlap), f"{overlap:g}") for overlap in overlaps),
        y_ticks=tuple((up(mark), f"{mark:g}") for mark in marks),
        omitted=len(sweep.series) - len(chosen),
    )


def _measured(series: Series, runs: RunFolders) -> dict[float, SeedMean]:
    return {
        overlap: measured(line, DEFAULT_METRIC, runs)
        for overlap, line in series.by_overlap.items()
        if line.values(DEFAULT_METRIC)
    }


def _curve(
    series: Series, found: Mapping[float, SeedMean], across: _Scale, up: _Scale
) -> DrawnCurve:
    points = tuple(
        CurvePoint(across(o), up(m.value), up(m.low), up(m.high)) for o, m in found.items()
    )
    told = ", ".join(f"{short(m.value)} at {o:g}" for o, m in found.items())
    return DrawnCurve(series.name, points, f"{series.name} {told}")


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
