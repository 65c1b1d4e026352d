"""Images of chosen classes, out of one or several sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import ImageSet
from dfbench.datasets.image_array import ImageArray, joined


def images_of(sets: Sequence[ImageSet], classes: tuple[str, ...]) -> ImageSet:
    """All images of `classes` in `sets`, as one set whose labels are indices into `classes`.

    A single set of just these classes is returned as it is; otherwise images are read when they
    are asked for. An image that several sets hold by one name counts once.
    """
    if len(sets) == 1 and sets[0].classes == classes:
        return sets[0]
    index = {name: label for label, name in enumerate(classes)}
    parts: list[tuple[ImageArray, NDArray[np.int64]]] = []
    labels, names = [], []
    for number, part in enumerate(sets):
        new = np.array([index.get(name, -1) for name in part.classes], dtype=np.int64)[part.labels]
        rows = np.flatnonzero(new >= 0)
        for earlier in sets[:number]:
            rows = _without_copies(part, rows, earlier)
        parts.append((part.images, rows))
        labels.append(new[rows])
        names += [part.names[row] for row in rows]
    return ImageSet(joined(parts), np.concatenate(labels), classes, tuple(names))


def _without_copies(
    part: ImageSet, rows: NDArray[np.int64], earlier: ImageSet
) -> NDArray[np.int64]:
    """The rows whose image is not, under its name, in an earlier set."""
    places = {name: row for row, name in enumerate(earlier.names)}

    def copied(row: int) -> bool:
        place = places.get(part.names[row])
        return place is not None and np.array_equal(part.images[row], earlier.images[place])

    return np.array([row for row in rows.tolist() if not copied(row)], dtype=np.int64)
