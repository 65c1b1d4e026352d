"""Confusion matrix of retrieval: classes of retrieved photos by class of the query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfbench.evaluation.top import class_shares
from dfbench.records.record import Record
from dfbench.reporting.lines import Line
from dfbench.reporting.plots.style import PAGE, new_figure
from dfbench.reporting.run_folders import EmbeddedTest, embedded_test

_NUMBERED = 25
"""Largest number of classes for which cells show their number."""
_LEAST_SHOWN = 0.005
_DARK = 0.55
"""Share from which the number in a cell is white."""


def confusion_chart(shares: NDArray[np.float64], classes: tuple[str, ...], title: str) -> Figure:
    """Rows of `shares` `[C, C]` are classes of queries, columns of photos; a row sums to 1."""
    size = PAGE * 0.5 + 0.14 * len(classes) if len(classes) <= _NUMBERED else PAGE
    figure = new_figure(size, size * 0.88)
    axes = figure.add_subplot()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="none")
    places = np.arange(len(classes))
    font = 7 if len(classes) <= _NUMBERED else max(2.0, 7 * _NUMBERED / len(classes))
    axes.set_xticks(places, classes, rotation=90, fontsize=font)
    axes.set_yticks(places, classes, fontsize=font)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if len(classes) <= _NUMBERED:
        for row, column in zip(*np.nonzero(shares >= _LEAST_SHOWN), strict=True):
            share = float(shares[row, column])
            axes.text(
                *(column, row, f"{100 * share:.0f}"),
                ha="center",
                va="center",
                fontsize=5.5,
                color="white" if share > _DARK else "black",
            )
    axes.set_xlabel("class of the retrieved photos")
    axes.set_ylabel("class of the query")
    axes.set_title(title)
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, pad=0.02, aspect=30)
    bar.set_label("share of the top R, R = photos of the query's class (cells: %)")
    bar.outline.set_visible(False)
    return figure


def shares_of(line: Line, runs: Path, representation: str = "") -> NDArray[np.float64]:
    """`[C, C]`: classes of the top R photos of each class's queries, R being its number of photos.

    The diagonal is the R-precision of a class; a class without queries or photos has a row of 0.
    Mean over the seeds. Raises `MissingRun` for a run without its folder.
    """
    by_seed = [_shares(embedded_test(runs, r, representation), r) for r in line.records]
    return np.asarray(np.mean(by_seed, axis=0))


def _shares(found: EmbeddedTest, record: Record) -> NDArray[np.float64]:
    return class_shares(
        found.embeddings["sketch"],
        found.embeddings["photo"],
        found.labels["sketch"],
        found.labels["photo"],
        len(record.data.classes),
        similarity=found.similarity,
    )
