"""Bar chart of methods with intervals, posterior scores and published numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfbench.reporting.comparisons.intervals import (
    SeedMean,
    interval_lines,
    measured_rows,
    recorded,
    scores_of,
)
from dfbench.reporting.comparisons.questions import POSTERIOR
from dfbench.reporting.lines import Line
from dfbench.reporting.plots.style import COLOURS, GREY, PAGE, legend_below, new_figure
from dfbench.reporting.published import published
from dfbench.reporting.roles import REFERENCE, TRAINED, UNTRAINED, section_of
from dfbench.reporting.run_folders import RunFolders

_SECTION_COLOURS: Mapping[str, str] = {UNTRAINED: GREY, TRAINED: COLOURS[0], REFERENCE: COLOURS[4]}
_ROW_HEIGHT, _LINE_HEIGHT = 0.17, 0.14
_BAR = 0.66


@dataclass(frozen=True)
class Bar:
    """One method of the chart."""

    name: str
    section: str
    features: SeedMean
    posterior: SeedMean | None
    published: float | None
    """The published number for this dataset and scenario."""


def bar_chart(bars: list[Bar], chance: float | None, metric: str, title: str) -> Figure:
    """Methods from best to worst, coloured by section; chance, if known, is a dashed line."""
    ordered = sorted(bars, key=lambda bar: bar.features.value)
    caption = interval_lines((bar.name, bar.features) for bar in ordered)
    height = 0.8 + _ROW_HEIGHT * len(ordered) + _LINE_HEIGHT * len(caption)
    figure = new_figure(PAGE * 0.75, height)
    axes = figure.add_subplot()
    for section, colour in _SECTION_COLOURS.items():
        _section(axes, ordered, section, colour)
    _marks(axes, ordered)
    if chance is not None:
        axes.axvline(chance, color="black", linewidth=0.8, linestyle=(0, (4, 3)), label="chance")
    axes.set_yticks(range(len(ordered)), [bar.name for bar in ordered])
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, min(1.02, 1.08 * max(map(_furthest, ordered))))
    axes.set_xlabel("\n".join([metric, *caption]))
    axes.grid(axis="x")
    axes.set_title(title, pad=4)
    legend_below(figure, 3)
    return figure


def _section(axes: Axes, bars: list[Bar], section: str, colour: str) -> None:
    own = [(place, bar.features) for place, bar in enumerate(bars) if bar.section == section]
    if not own:
        return
    places, features = zip(*own, strict=True)
    axes.barh(
        places,
        [one.value for one in features],
        height=_BAR,
        color=colour,
        label=section,
        xerr=list(zip(*(one.reach for one in features), strict=True)),
        error_kw={"elinewidth": 0.9, "ecolor": "black", "capsize": 1.5, "capthick": 0.9},
    )


def _marks(axes: Axes, bars: list[Bar]) -> None:
    """Posterior scores as circles, published numbers as diamonds."""
    posterior = [(bar.posterior.value, p) for p, bar in enumerate(bars) if bar.posterior]
    printed = [(bar.published, p) for p, bar in enumerate(bars) if bar.published is not None]
    styles = (
        (posterior, "o", "white", "black", "class posterior"),
        (printed, "D", COLOURS[1], "white", "published"),
    )
    for points, marker, face, edge, label in styles:
        if points:
            values, places = zip(*points, strict=True)
            axes.scatter(
                *(values, places),
                s=16,
                marker=marker,
                facecolor=face,
                edgecolor=edge,
                linewidth=0.7,
                label=label,
                zorder=3,
            )


def _furthest(bar: Bar) -> float:
    posterior = bar.posterior.value if bar.posterior else 0.0
    return max(bar.features.high, posterior, bar.published or 0.0)


def bars_of(lines: list[Line], metric: str, runs: RunFolders) -> list[Bar]:
    """The bars of the methods on one dataset and scenario."""
    first = lines[0].first
    printed = published(first.data.name, first.scenario_title)
    return [
        Bar(
            name=line.name,
            section=section_of(line.first.method),
            features=features,
            posterior=recorded(scores) if (scores := scores_of(line, metric, POSTERIOR)) else None,
            published=printed[line.label].values.get(metric) if line.label in printed else None,
        )
        for line, features in zip(lines, measured_rows(lines, metric, runs), strict=True)
    ]
