"""SVG figures of a run's page: confusion matrix and training curves."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter

_COLOUR = (38, 120, 208)
"""Visible on white and on black; its opacity grows with the share."""
_LEVELS = 32
_GAMMA = 0.7
"""Exponent below 1, so that small shares are visible."""
_LABELLED = 40
"""Largest number of classes for which the picture names them."""
_LETTER = 0.34
"""Width of a letter, in cells."""


@dataclass(frozen=True)
class Heatmap:
    """A confusion matrix: rows are classes of queries, columns classes of photos."""

    address: str
    """A PNG with one pixel per cell, as a data URL."""
    classes: tuple[str, ...]
    """Class names next to the cells; empty if there are too many to read."""
    size: int
    margin: float
    """Space for the names, in cells."""


@dataclass(frozen=True)
class ClassRow:
    """Scores of the queries of one class."""

    name: str
    queries: int | None
    """None, like `average_precision`, if the run's folder lacks it."""
    average_precision: float | None
    r_precision: float | None
    """R-precision; None without queries, like the two fields below."""
    confused_with: str | None
    confused_share: float | None


def heatmap(shares: NDArray[np.float32], classes: tuple[str, ...]) -> Heatmap:
    """The heatmap of shares `[C, C]`."""
    levels = np.rint(np.clip(shares, 0, 1) * (_LEVELS - 1)).astype(np.uint8)
    picture = Image.fromarray(levels)
    picture.putpalette(_COLOUR * _LEVELS)
    alpha = bytes(round(255 * (level / (_LEVELS - 1)) ** _GAMMA) for level in range(_LEVELS))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", transparency=alpha, optimize=True)
    named = classes if len(classes) <= _LABELLED else ()
    return Heatmap(
        address=f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}",
        classes=named,
        size=len(classes),
        margin=round(max(map(len, named), default=0) * _LETTER + 0.6, 2),
    )


def class_rows(
    classes: tuple[str, ...],
    shares: NDArray[np.float32],
    values: NDArray[np.float64] | None,
    labels: NDArray[np.int64] | None,
) -> list[ClassRow]:
    """Scores by class, in the order of the names; `values` and `labels` are per query."""
    return [
        _class_row(number, classes, shares[number], _own(number, values, labels))
        for number in range(len(classes))
    ]


def _own(
    number: int, values: NDArray[np.float64] | None, labels: NDArray[np.int64] | None
) -> NDArray[np.float64] | None:
    if values is None or labels is None:
        return None
    own = values[labels == number]
    return np.asarray(own[~np.isnan(own)])


def _class_row(
    number: int,
    classes: tuple[str, ...],
    shares: NDArray[np.float32],
    values: NDArray[np.float64] | None,
) -> ClassRow:
    known = values is not None and len(values) > 0
    others = np.where(np.arange(len(classes)) == number, 0, shares)
    first = int(others.argmax())
    retrieved, confused = bool(shares.any()), bool(others.any())
    return ClassRow(
        name=classes[number],
        queries=None if values is None else len(values),
        average_precision=float(values.mean()) if values is not None and known else None,
        r_precision=float(shares[number]) if retrieved else None,
        confused_with=classes[first] if confused else None,
        confused_share=float(others[first]) if confused else None,
    )


WIDTH, HEIGHT = 240, 96
"""Size of a chart's area in pixels."""
_POINTS = 80
"""Largest number of points of a line; more than one per three pixels would not be visible."""
_ENDING = ".curves.json"
_CURVES = TypeAdapter(dict[str, list[tuple[float, float | None]]])
"""Steps with values by name, as written by `dfbench.learning.loop`."""


@dataclass(frozen=True)
class Chart:
    """One quantity over the steps of one training loop."""

    loop: str
    name: str
    path: str
    """SVG path in a box of `WIDTH` x `HEIGHT`, with a gap at each non-finite value."""
    first: float
    last: float
    low: float
    high: float
    steps: int
    """Number of the last step."""


def read_charts(folder: Path) -> list[Chart]:
    """The charts of a training folder; empty without it. Raises `ValueError` for other content."""
    charts: list[Chart] = []
    for file in sorted(folder.glob(f"*{_ENDING}")):
        content = _CURVES.validate_json(file.read_bytes())
        loop = file.name.removesuffix(_ENDING)
        made = (_chart(loop, name, points) for name, points in sorted(content.items()))
        charts += [chart for chart in made if chart is not None]
    return charts


def _chart(loop: str, name: str, points: list[tuple[float, float | None]]) -> Chart | None:
    finite = [(step, value) for step, value in points if value is not None]
    if len(finite) < 2:
        return None
    values = [value for _, value in finite]
    low, high = min(values), max(values)
    last = finite[-1][0]
    stride = max(1, len(points) // _POINTS)
    kept = points[::stride] if (len(points) - 1) % stride == 0 else [*points[::stride], points[-1]]
    scale_x, scale_y = WIDTH / (last or 1), HEIGHT / ((high - low) or 1)
    path = "".join(
        "" if value is None else f"{mark}{step * scale_x:.0f} {(high - value) * scale_y:.1f}"
        for mark, (step, value) in zip(_marks(kept), kept, strict=True)
    )
    return Chart(loop, name, path, values[0], values[-1], low, high, int(last))


def _marks(points: list[tuple[float, float | None]]) -> list[str]:
    """For each point, the SVG command that starts or continues a line."""
    gaps = [before[1] is None for before, _ in pairwise(points)]
    return ["M", *("M" if gap else "L" for gap in gaps)]
