"""How high precision among the first 200 photos can rise at all, given the number of photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CUTOFF = 200
"""The k of the literature's P@200."""


@dataclass(frozen=True)
class Ceiling:
    """The best possible P@200 of one division of the images."""

    division: str
    """How queries and gallery are chosen, e.g. `fifth` or `T30-PCYC`."""
    classes: int
    queries: int
    gallery: int
    small: tuple[str, ...]
    """Classes with queries and fewer than 200 gallery photos."""
    value: float
    """In [0, 1]."""


def precision_ceiling(
    division: str, queries: Mapping[str, int], gallery: Mapping[str, int]
) -> Ceiling:
    """The P@200 of a perfect ranking, from the number of queries and gallery photos of each class.

    A query of a class with R photos has at most min(R, 200) hits among the first 200; the mean is
    over queries. `queries` has at least one query.

    >>> precision_ceiling("fifth", {"cat": 3, "dog": 1}, {"cat": 100, "dog": 300}).value
    0.625
    """
    asked = sum(queries.values())
    best = sum(n * min(gallery.get(name, 0), CUTOFF) for name, n in queries.items())
    return Ceiling(
        division,
        classes=len(queries),
        queries=asked,
        gallery=sum(gallery.get(name, 0) for name in queries),
        small=tuple(name for name, n in queries.items() if n and gallery.get(name, 0) < CUTOFF),
        value=best / (asked * CUTOFF),
    )
