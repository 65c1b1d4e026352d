"""Which classes are retrieved for queries of which class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfbench.evaluation.inputs import Array
from dfbench.evaluation.top import top_k

_RETRIEVED = 2**24
"""Most photos held at once, over all queries of a part."""


def class_shares(
    queries: Array,
    gallery: Array,
    query_labels: NDArray[np.int64],
    gallery_labels: NDArray[np.int64],
    classes: int,
    *,
    similarity: str = "cosine",
    device: str = "cpu",
) -> NDArray[np.float64]:
    """`[C, C]`: what the top R of each class's queries hold, R photos being of that class.

    Rows are classes of queries, columns of photos. The diagonal is the R-precision of a class; a
    class without queries or photos has a row of 0. Labels are indices below `classes`.
    """
    relevant = np.bincount(gallery_labels, minlength=classes)
    most = int(relevant.max())
    counts = np.zeros((classes, classes))
    for places in _parts(len(query_labels), max(1, _RETRIEVED // most)):
        best = top_k(queries[places], gallery, most, similarity=similarity, device=device)
        for name in np.unique(query_labels[places]):
            retrieved = gallery_labels[best[query_labels[places] == name, : relevant[name]]]
            counts[name] += np.bincount(retrieved.ravel(), minlength=classes)
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0))


def _parts(count: int, most: int) -> list[slice]:
    return [slice(start, start + most) for start in range(0, count, most)]
