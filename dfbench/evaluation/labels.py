"""Class labels of queries and gallery, as the user has them and as one shared numbering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dfbench.datasets.names import composed
from dfbench.errors import InvalidInput

Label: TypeAlias = int | str
Labels: TypeAlias = npt.NDArray[Any] | Tensor | Sequence[int] | Sequence[str]
IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Relevance:
    """Which gallery photos are positives of which query: those with an equal label."""

    names: list[Label]
    """The labels by class number, ascending."""
    queries: IntArray
    """Class number of each query, [Q]."""
    gallery: IntArray
    """Class number of each photo, [G]."""

    @cached_property
    def counts(self) -> IntArray:
        """R: positives of each query, [Q]."""
        return np.bincount(self.gallery, minlength=len(self.names))[self.queries]

    @cached_property
    def photos(self) -> list[IntArray]:
        """Gallery indices of each class, ascending."""
        order = np.argsort(self.gallery, kind="stable")
        sizes = np.bincount(self.gallery, minlength=len(self.names))
        return np.split(order, np.cumsum(sizes)[:-1])


def relevance(queries: Labels, gallery: Labels, n_queries: int, n_gallery: int) -> Relevance:
    """Number the labels of both sides alike.

    Labels are integers or strings, one for each embedding; strings are compared in Unicode's
    composed form. Raises `InvalidInput` for another
    length or type, for strings on one side only, and if no query has a relevant photo at all.
    """
    sides = [_array("query", queries, n_queries), _array("gallery", gallery, n_gallery)]
    if sides[0].dtype.kind != sides[1].dtype.kind:
        raise InvalidInput(
            f"query labels are {sides[0].dtype} and gallery labels {sides[1].dtype}; allowed: both"
            " integers or both strings; name the classes alike on both sides"
        )
    names, numbers = np.unique(np.concatenate(sides), return_inverse=True)
    found = Relevance(names.tolist(), numbers[:n_queries], numbers[n_queries:])
    if not found.counts.any():
        raise InvalidInput(
            "no query has a photo of its class in the gallery; allowed: at least one;"
            " number the classes of queries and gallery alike"
        )
    return found


def _array(side: str, given: Labels, length: int) -> npt.NDArray[Any]:
    labels = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if labels.shape != (length,):
        raise InvalidInput(
            f"{side} labels have shape {labels.shape}; allowed: ({length},), one for each"
            f" embedding; check that both come from the same files"
        )
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.dtype.kind in "UT" or all(isinstance(label, str) for label in labels):
        return _composed(labels.astype(np.str_))
    raise InvalidInput(
        f"{side} labels have dtype {labels.dtype}; allowed: integers or strings;"
        " give class indices or class names"
    )


def _composed(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    names, numbers = np.unique(labels, return_inverse=True)
    return np.array([composed(name) for name in names.tolist()], dtype=np.str_)[numbers]
