"""Class labels of queries and gallery, as passed in and as a shared numbering."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dfbench.class_names import composed
from dfbench.errors import InvalidInput

Label: TypeAlias = int | str
Labels: TypeAlias = npt.NDArray[Any] | Tensor | Sequence[int] | Sequence[str]
IntArray: TypeAlias = npt.NDArray[np.int64]

_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Relevance:
    """Relevance of gallery photos: a photo is a positive of the queries with an equal label."""

    names: list[Label]
    """The labels by class number, ascending."""
    queries: IntArray
    """Class number of each query, [Q]."""
    gallery: IntArray
    """Class number of each photo, [G]."""

    @cached_property
    def counts(self) -> IntArray:
        """R: number of positives of each query, [Q]."""
        return np.bincount(self.gallery, minlength=len(self.names))[self.queries]

    @cached_property
    def photos(self) -> list[IntArray]:
        """Gallery indices of each class, ascending."""
        order = np.argsort(self.gallery, kind="stable")
        sizes = np.bincount(self.gallery, minlength=len(self.names))
        return np.split(order, np.cumsum(sizes)[:-1])


def relevance(queries: Labels, gallery: Labels, n_queries: int, n_gallery: int) -> Relevance:
    """Number the labels of both sides consistently.

    Labels are integers or strings, one per embedding; strings are compared in Unicode's composed
    form. Raises `InvalidInput` for another length or type, for strings on only one side, and if no
    query has a relevant photo.
    """
    sides = [_array("query", queries, n_queries), _array("gallery", gallery, n_gallery)]
    if sides[0].dtype.kind != sides[1].dtype.kind:
        raise InvalidInput(
            f"query labels are {sides[0].dtype} and gallery labels {sides[1].dtype}; allowed: both"
            " integers or both strings; use the same class names on both sides"
        )
    names, numbers = np.unique(np.concatenate(sides), return_inverse=True)
    found = Relevance(names.tolist(), numbers[:n_queries], numbers[n_queries:])
    if not found.counts.any():
        raise InvalidInput(
            "no query has a photo of its class in the gallery; allowed: at least one;"
            " number the classes of queries and gallery consistently"
        )
    return found


def _array(side: str, given: Labels, length: int) -> npt.NDArray[Any]:
    labels = _tensor_labels(side, given) if isinstance(given, Tensor) else _listed(side, given)
    if labels.shape != (length,):
        raise InvalidInput(
            f"{side} labels have shape {labels.shape}; allowed: ({length},), one per embedding;"
            f" check that both come from the same files"
        )
    if labels.dtype.kind in "iu":
        if labels.dtype.kind == "u" and labels.size and int(labels.max()) > _LARGEST:
            raise InvalidInput(
                f"{side} labels go up to {int(labels.max())}; allowed: integers up to {_LARGEST}; "
                "number the classes from 0"
            )
        return labels.astype(np.int64)
    listed = labels.tolist() if labels.dtype.kind in "UTO" else []
    if len(listed) == length and all(isinstance(label, str) for label in listed):
        _refuse_nul(side, listed)
        return _composed(np.array(listed, dtype=np.str_))
    raise _wrong_type(side, str(labels.dtype))


def _tensor_labels(side: str, given: Tensor) -> npt.NDArray[Any]:
    if given.is_meta or given.is_complex() or given.dtype.is_floating_point or given.is_quantized:
        raise _wrong_type(side, f"{given.dtype} on the device {given.device}")
    dense = given if given.layout == torch.strided else given.to_dense()
    return dense.detach().cpu().numpy()


def _listed(side: str, given: Any) -> npt.NDArray[Any]:
    """Labels of an array or a sequence; NumPy would convert `[1, "1"]` to strings."""
    if isinstance(given, np.ma.MaskedArray):
        if np.ma.getmaskarray(given).any():
            raise InvalidInput(
                f"{side} labels are masked in {int(np.ma.getmaskarray(given).sum())} places; "
                "allowed: one label per embedding; drop the embeddings without one"
            )
        return np.asarray(given.data)
    if not isinstance(given, np.ndarray):
        _check_list(side, given)
    return np.asarray(given)


def _check_list(side: str, given: object) -> None:
    """Raise `InvalidInput` unless all are 64-bit integers, or all strings."""
    if not isinstance(given, Iterable):
        raise _wrong_type(side, f"of type {type(given).__name__}")
    kinds = {_kind(label) for label in given}
    if len(kinds) > 1:
        raise _wrong_type(side, f"a mixture of {' and '.join(sorted(kinds))}")
    if not kinds <= {"integers", "strings"}:
        raise _wrong_type(side, f"of type {kinds.pop()}")
    if kinds == {"strings"}:
        _refuse_nul(side, given)
    if kinds == {"integers"} and not all(-_LARGEST <= int(one) <= _LARGEST for one in given):
        raise InvalidInput(
            f"{side} labels go beyond 64 bits; allowed: integers up to {_LARGEST}; number the "
            "classes from 0"
        )


def _kind(label: object) -> str:
    if isinstance(label, str):
        return "strings"
    whole = isinstance(label, Integral) and not isinstance(label, bool)
    return "integers" if whole else type(label).__name__


def _refuse_nul(side: str, labels: Iterable[str]) -> None:
    """Raise `InvalidInput` for a name with a NUL: NumPy drops trailing NULs of a string."""
    for label in labels:
        if "\0" in label:
            raise InvalidInput(
                f"{side} label {label!r:.60} contains a NUL character; allowed: text without NUL;"
                " rename the class"
            )


def _wrong_type(side: str, found: str) -> InvalidInput:
    return InvalidInput(
        f"{side} labels are {found}; allowed: integers or strings, all of one kind; give class "
        "indices or class names"
    )


def _composed(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    names, numbers = np.unique(labels, return_inverse=True)
    return np.array([composed(name) for name in names.tolist()], dtype=np.str_)[numbers]
