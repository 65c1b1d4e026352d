"""Ablation chart: the difference of each variant to its method."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfbench.errors import InvalidInput
from dfbench.reporting.comparisons.comparison import Answers, Representation, Wanted, has
from dfbench.reporting.comparisons.intervals import FROM_THREE_SEEDS, compare
from dfbench.reporting.comparisons.questions import POSTERIOR, ComparableLines, variants_of
from dfbench.reporting.lines import Line
from dfbench.reporting.plots.style import COLOURS, PAGE, legend_below, new_figure
from dfbench.reporting.published import papers
from dfbench.reporting.run_folders import MissingRun, RunFolders

_ROW_HEIGHT = 0.2
_OFFSET = 0.16
_SERIES = (("features", "o", COLOURS[0]), (POSTERIOR, "s", COLOURS[1]))


@dataclass(frozen=True)
class Difference:
    """A mean difference with its interval; the ends are None if unknown."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Change:
    """A variant minus its method."""

    name: str
    by_representation: dict[str, Difference]
    """By `features` and `posterior`, if both methods have the representation."""


def ablation_chart(changes: list[Change], parent: str, metric: str, title: str) -> Figure:
    """Variants sorted from the largest gain to the largest loss."""
    ordered = sorted(changes, key=lambda change: change.by_representation["features"].value)
    figure = new_figure(PAGE * 0.75, 0.95 + _ROW_HEIGHT * len(ordered))
    axes = figure.add_subplot()
    axes.axvline(0, color="black", linewidth=0.8)
    for number, (representation, marker, colour) in enumerate(_SERIES):
        _points(axes, ordered, representation, marker, colour, _OFFSET * (1 - 2 * number))
    axes.set_yticks(range(len(ordered)), [change.name for change in ordered])
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(f"{metric}: variant - {parent}\nlines: paired {FROM_THREE_SEEDS}")
    axes.set_title(title, pad=4)
    legend_below(figure, 2)
    return figure


def _points(
    axes: Axes, changes: list[Change], representation: str, marker: str, colour: str, offset: float
) -> None:
    found = [
        (place + offset, change.by_representation[representation])
        for place, change in enumerate(changes)
        if representation in change.by_representation
    ]
    if not found:
        return
    for place, one in found:
        if one.low is not None and one.high is not None:
            axes.plot((one.low, one.high), (place, place), color=colour, linewidth=1)
    axes.plot(
        [one.value for _, one in found],
        [place for place, _ in found],
        color=colour,
        marker=marker,
        linestyle="none",
        label=representation,
    )


def ablated_lines(condition: ComparableLines) -> list[Line]:
    """The methods with records under other settings; of several, those that a paper proposes.

    Raises `InvalidInput` if there are none.
    """
    found = [line for line in condition.lines if variants_of(condition, line)]
    if not found:
        raise InvalidInput(
            f"no method has records of a variant or of other settings on {condition.place}; make "
            "some: dfbench describe METHOD lists variants and settings"
        )
    proposed = [paper.proposes for paper in papers()]
    return [line for line in found if line.label in proposed] or found


def changes_of(
    condition: ComparableLines, parent: Line, metric: str, answers: Answers, runs: RunFolders
) -> list[Change]:
    """The differences of a method's variants to the method itself.

    Intervals come from the stored comparisons or are computed from run folders; without either
    there are none. A variant that shares no seed with the method is left out.
    """
    changes = []
    for line in variants_of(condition, parent):
        found = {
            name: one
            for representation, name in (("", "features"), (POSTERIOR, POSTERIOR))
            if (one := _difference(line, parent, representation, metric, answers, runs)) is not None
        }
        if "features" in found:
            changes.append(Change(line.name, found))
    return changes


def _difference(
    line: Line, parent: Line, representation: str, metric: str, answers: Answers, runs: RunFolders
) -> Difference | None:
    if not has(line, metric, representation) or not has(parent, metric, representation):
        return None
    wanted = Wanted(
        "difference",
        (Representation(line, representation), Representation(parent, representation)),
        metric,
    )
    if not wanted.seeds or wanted.value is None:
        return None
    answer = answers.get(wanted.key)
    if answer is None:
        try:
            answer = compare(wanted, runs)
        except MissingRun:
            return Difference(wanted.value, None, None)
    return Difference(answer.value, answer.low, answer.high)
