"""Figures of single runs and of your own embeddings: confusion matrices, precision by recall."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.evaluation.bootstrap import mean_intervals
from dfbench.evaluation.curve import precision_by_query, recall_levels
from dfbench.evaluation.models import Models
from dfbench.evaluation.ranking.labels import relevance
from dfbench.evaluation.top import class_shares
from dfbench.records.record import Record
from dfbench.reporting.comparisons.intervals import bootstrapped
from dfbench.reporting.lines import Line
from dfbench.reporting.plots.style import COLOURS, COLUMN, GREY, MARKERS, PAGE, new_figure
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


MOST_CURVES = len(COLOURS)
LEVELS = 21
_EVERY = 4
"""Recall levels between two markers."""


@dataclass(frozen=True)
class MethodCurve:
    """The curve of one method; all arrays `[L]`."""

    name: str
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def curve_chart(curves: list[MethodCurve], chance: float, title: str) -> Figure:
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


def curve_of(line: Line, runs: Path, representation: str = "") -> MethodCurve:
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
    return MethodCurve(line.name, recall_levels(LEVELS), value, low, high)


def check_count(models: int) -> None:
    """Raise `InvalidInput` for more models than a figure can tell apart."""
    if models > MOST_CURVES:
        raise InvalidInput(
            f"{models} models; allowed: at most {MOST_CURVES} in one figure; name fewer"
        )


def model_curves(
    models: Models, *, similarity: str, device: str, bootstrap: int, seed: int
) -> list[MethodCurve]:
    """Interpolated precision of each model, with a bootstrap interval over queries as its band."""
    curves = []
    for name, queries in models.queries.items():
        values = precision_by_query(
            queries,
            models.gallery[name],
            models.query_labels,
            models.gallery_labels,
            similarity=similarity,
            levels=LEVELS,
            device=device,
        )
        scored = values[~np.isnan(values).any(axis=1)]
        means = mean_intervals(scored, bootstrap, seed)
        ends = [(one.value, one.value) if one.low is None else (one.low, one.high) for one in means]
        low, high = np.array(ends, dtype=np.float64).T
        value = np.array([one.value for one in means])
        curves.append(MethodCurve(name, recall_levels(LEVELS), value, low, high))
    return curves


def model_chart(models: Models, curves: list[MethodCurve]) -> Figure:
    """The curves in one figure, with the precision of a random ranking."""
    queries, photos = (len(next(iter(side.values()))) for side in (models.queries, models.gallery))
    counts = relevance(models.query_labels, models.gallery_labels, queries, photos).counts
    return curve_chart(
        curves,
        float(counts[counts > 0].mean()) / photos,
        f"{(counts > 0).sum()} queries, {photos} photos",
    )
