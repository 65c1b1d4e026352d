"""Which classes a run retrieves for which, as a picture and as a table of classes."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLOUR = (38, 120, 208)
"""Seen on white and on black; the more of it the larger the share."""
_LEVELS = 32
_GAMMA = 0.7
"""Below 1, so that small shares are seen."""
_LABELLED = 40
"""Classes up to which the picture names them."""
_LETTER = 0.34
"""Width of a letter, in cells."""


@dataclass(frozen=True)
class Heatmap:
    """Rows are classes of queries, columns of photos."""

    address: str
    """A PNG of one pixel a cell, as a data address."""
    classes: tuple[str, ...]
    """Names beside the cells; empty where there are too many to be read."""
    size: int
    margin: float
    """Room for the names, in cells."""


@dataclass(frozen=True)
class ClassRow:
    """How the queries of one class fare."""

    name: str
    queries: int | None
    """None, with `average_precision`, where the run's folder does not tell."""
    average_precision: float | None
    r_precision: float | None
    """Share of the right class among the top R; None, as what follows, without queries."""
    confused_with: str | None
    confused_share: float | None


def heatmap(shares: NDArray[np.float32], classes: tuple[str, ...]) -> Heatmap:
    """The picture of shares `[C, C]`."""
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
    """By class, in the order of the names; `values` and `labels` are of the queries."""
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
    told = values is not None and len(values) > 0
    others = np.where(np.arange(len(classes)) == number, 0, shares)
    first = int(others.argmax())
    retrieved, confused = bool(shares.any()), bool(others.any())
    return ClassRow(
        name=classes[number],
        queries=None if values is None else len(values),
        average_precision=float(values.mean()) if values is not None and told else None,
        r_precision=float(shares[number]) if retrieved else None,
        confused_with=classes[first] if confused else None,
        confused_share=float(others[first]) if confused else None,
    )
