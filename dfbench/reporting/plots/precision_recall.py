"""Mean precision-recall curves over queries, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfbench.evaluation.curve import precision_by_query, recall_levels
from dfbench.reporting.comparisons.intervals import bootstrapped
from dfbench.reporting.lines import Line
from dfbench.reporting.plots.style import COLOURS, COLUMN, GREY, MARKERS, new_figure
from dfbench.reporting.run_folders import embedded_test

MOST_CURVES = len(COLOURS)
LEVELS = 21
_EVERY = 4
"""Recall levels between two markers."""


@dataclass(frozen=True)
class RowCurve:
    """The curve of one method; all arrays `[L]`."""

    name: str
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def curve_chart(curves: list[RowCurve], chance: float, title: str) -> Figure:
    """Curves with intervals as bands; a dashed line is the precision of a random ranking."""
    figure = new_figure(COLUMN * 1.25, COLUMN * 0.95)
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        colour = COLOURS[number]
        axes.fill_between(curve.recall, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(
            curve.recall,
            curve.precision,
            color=colour,
            marker=MARKERS[number],
            markevery=(number % _EVERY, _EVERY),
            label=curve.name,
        )
    axes.axhline(chance, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), label="chance")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall")
    axes.set_ylabel("interpolated precision")
    axes.grid()
    axes.set_title(title)
    figure.legend(loc="outside right upper")
    return figure


def curve_of(line: Line, runs: Path, representation: str = "") -> RowCurve:
    """The curve of a line, from the embeddings of its runs.

    Each recall level has a bootstrap interval like that of the line's mean. Raises `MissingRun` for
    a run without its folder.
    """
    curves = []
    for record in line.records:
        found = embedded_test(runs, record, representation)
        curves.append(
            precision_by_query(
                found.embeddings["sketch"],
                found.embeddings["photo"],
                found.labels["sketch"],
                found.labels["photo"],
                similarity=found.similarity,
                levels=LEVELS,
            )
        )
    levels = [
        bootstrapped([curve[:, level] for curve in curves], line.records) for level in range(LEVELS)
    ]
    value, low, high = (
        np.array([getattr(one, part) for one in levels]) for part in ("value", "low", "high")
    )
    return RowCurve(line.name, recall_levels(LEVELS), value, low, high)
