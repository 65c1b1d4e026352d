"""Scores by the share of classes that both teachers know, next to published ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfbench.errors import InvalidInput, unknown_name
from dfbench.reporting.comparisons.intervals import SeedMean, interval_lines, measured, recorded
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.overlap import ALL, Series, Sweep, group_chance, group_scores
from dfbench.reporting.plots.style import (
    COLOURS,
    GREY,
    MARKERS,
    PAGE,
    PALE,
    legend_below,
    new_figure,
)
from dfbench.reporting.published import PublishedOverlap
from dfbench.reporting.run_folders import RunFolders
from dfbench.system.console import note

MOST_ROWS = len(COLOURS)
_HEIGHT = 2.9
_GROUP_WIDTH = 0.08
_PUBLISHED_COLOURS = (GREY, PALE)
_TITLES = {
    ALL: "all queries",
    "shared": "queries of shared classes",
    "sketch-only": "queries of sketch-only classes",
    "photo-only": "queries of photo-only classes",
}


@dataclass(frozen=True)
class OverlapCurve:
    """One method at several overlaps."""

    name: str
    points: dict[float, SeedMean]
    """By overlap, ascending."""


@dataclass(frozen=True)
class Panel:
    """One group of queries."""

    title: str
    curves: Sequence[OverlapCurve]
    chance: dict[float, float]


def overlap_chart(
    panels: Sequence[Panel], published: PublishedOverlap, metric: str, title: str
) -> Figure:
    """One panel per query group and one of published bars, on a common scale."""
    count = len(panels) + 1
    figure = new_figure(PAGE, _HEIGHT) if count <= 2 else new_figure(PAGE, 2 * _HEIGHT)
    columns = count if count <= 2 else -(-count // 2)
    grid = figure.subplots(-(-count // columns), columns, sharey=True, squeeze=False)
    axes = [one for row in grid for one in row]
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    for place, panel in zip(axes, panels, strict=False):
        _panel(place, panel, names)
    _bars(axes[len(panels)], published)
    for spare in axes[count:]:
        spare.set_visible(False)
    for row in grid:
        row[0].set_ylabel(metric)
    axes[0].set_ylim(0, 1)
    shown = [(c.name, p) for panel in panels for c in panel.curves for p in c.points.values()]
    axes[0].set_xlabel("\n".join([axes[0].get_xlabel(), *interval_lines(shown)]))
    figure.suptitle(title, x=0.01, ha="left", fontsize=8.5, fontweight="bold")
    legend_below(figure, 4)
    return figure


def _panel(axes: Axes, panel: Panel, names: list[str]) -> None:
    for curve in panel.curves:
        number = names.index(curve.name)
        overlaps = list(curve.points)
        values = [one.value for one in curve.points.values()]
        # Shifted sideways, so that whiskers of equal scores do not hide each other.
        shift = 0.004 * (number - (len(names) - 1) / 2)
        axes.errorbar(
            [o + shift for o in overlaps],
            values,
            yerr=list(zip(*(one.reach for one in curve.points.values()), strict=True)),
            color=COLOURS[number],
            marker=MARKERS[number],
            elinewidth=0.8,
            capsize=1.2,
            label=curve.name,
        )
    if panel.chance:
        axes.plot(
            list(panel.chance),
            list(panel.chance.values()),
            color="black",
            linewidth=0.8,
            linestyle=(0, (4, 3)),
            label="chance",
        )
    _scale(axes, panel.title)


def _bars(axes: Axes, published: PublishedOverlap) -> None:
    count = len(published.bars)
    width = _GROUP_WIDTH / count
    for number, (dataset, values) in enumerate(published.bars.items()):
        places = [o + width * (number - (count - 1) / 2) for o in published.overlaps]
        axes.bar(
            places,
            values,
            width=width * 0.95,
            yerr=published.reading_error,
            error_kw={"elinewidth": 0.6, "ecolor": "black", "capsize": 0.8, "capthick": 0.6},
            color=_PUBLISHED_COLOURS[number % len(_PUBLISHED_COLOURS)],
            label=f"published, {dataset}",
        )
    _scale(axes, f"{published.method} as published")


def _scale(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=7.5, fontweight="normal")
    axes.set_xlim(0.03, 1.07)
    axes.set_xticks([0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_xlabel("share of classes that both teachers know")
    axes.grid(axis="y")


def panel_of(
    sweep: Sweep,
    series: Sequence[Series],
    group: str,
    metric: str,
    representation: str,
    runs: RunFolders,
) -> Panel:
    """The panel of one query group of a sweep.

    For all queries the intervals are those of `measured`; for a group those of the records.
    """
    curves = []
    for one in series:
        points = {}
        for overlap, line in one.by_overlap.items():
            scores = [group_scores(record, group, representation) for record in line.records]
            own = [found[metric] for found in scores if metric in found]
            if own:
                whole = group == ALL
                points[overlap] = (
                    measured(line, metric, runs, representation) if whole else recorded(own)
                )
        curves.append(OverlapCurve(one.name, points))
    return Panel(_TITLES[group], [c for c in curves if c.points], _chances(sweep, metric, group))


def _chances(sweep: Sweep, metric: str, group: str) -> dict[float, float]:
    chances: dict[float, float] = {}
    for overlap in sweep.overlaps if metric == DEFAULT_METRIC else ():
        found = [group_chance(record, group) for record in sweep.records(overlap)]
        given = [value for value in found if value is not None]
        if given:
            chances[overlap] = fmean(given)
    return chances


def chosen_series(sweep: Sweep, labels: Sequence[str]) -> list[Series]:
    """The methods with these labels or names; by default all without variants, best first.

    At most `MOST_ROWS`, with a note of those left out. Raises `UnknownName` for a label without
    records and `InvalidInput` for more labelled methods than fit.
    """
    known = {name for one in sweep.series for name in (one.first.method.label, one.name)}
    for label in labels:
        if label not in known:
            raise unknown_name("method", label, known, "dfbench table overlap")
    found = [
        one
        for one in sweep.series
        if (
            {one.first.method.label, one.name} & {*labels}
            if labels
            else one.first.method.variant is None
        )
    ]
    if len(found) > MOST_ROWS and labels:
        raise InvalidInput(f"{len(found)} methods by --method; allowed: at most {MOST_ROWS}")
    if len(found) > MOST_ROWS:
        names = ", ".join(one.first.method.label for one in found[MOST_ROWS:])
        note(f"left out: {names}; choose methods with --method")
    return found[:MOST_ROWS]
