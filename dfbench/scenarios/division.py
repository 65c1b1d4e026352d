"""The arithmetic of scenarios: names of classes in, names of classes out.

Notation: U all classes, P and S those that the photo and the sketch teacher know, o the overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from dfbench.identity import derive_seed
from dfbench.modality import Modality

Classes = tuple[str, ...]
Situation = Literal["closed", "overlap", "unseen"]
"""What a method is in: teachers of the same classes, of classes that partly differ, or queries of
classes that no teacher knows."""


@dataclass(frozen=True)
class ClassDivision:
    """Which classes each teacher knows, and which are queried; each list sorted, all disjoint."""

    shared: Classes
    """P and S."""
    photo_only: Classes = ()
    """P without S."""
    sketch_only: Classes = ()
    """S without P."""
    unseen: Classes = ()
    """Known to neither; if there are any, queries and gallery are of these alone."""

    def __str__(self) -> str:
        further = (
            ("to the photo teacher only", self.photo_only),
            ("to the sketch teacher only", self.sketch_only),
            ("to neither", self.unseen),
        )
        told = [f"{len(classes)} {whom}" for whom, classes in further if classes]
        return ", ".join([f"{len(self.shared)} classes known to both teachers", *told])

    def known(self, modality: Modality) -> Classes:
        """Classes that the teacher of a modality knows, sorted."""
        own = self.photo_only if modality == "photo" else self.sketch_only
        return tuple(sorted((*self.shared, *own)))

    @property
    def queried(self) -> Classes:
        """Classes of queries and gallery, sorted."""
        return self.unseen or tuple(sorted((*self.shared, *self.photo_only, *self.sketch_only)))

    @property
    def overlap(self) -> float:
        """|P and S| / |P or S|."""
        union = len(self.shared) + len(self.photo_only) + len(self.sketch_only)
        return len(self.shared) / union

    @property
    def groups(self) -> dict[str, Classes]:
        """Queried classes by who knows them; without those that no class is in."""
        groups = {
            "shared": self.shared,
            "photo-only": self.photo_only,
            "sketch-only": self.sketch_only,
        }
        return {} if self.unseen else {name: classes for name, classes in groups.items() if classes}

    @property
    def situation(self) -> Situation:
        """What a method is in."""
        if self.unseen:
            return "unseen"
        return "overlap" if self.photo_only or self.sketch_only else "closed"


def class_order(classes: Sequence[str], seed: int) -> Classes:
    """A permutation of the classes by seed, the same on every machine."""
    return tuple(sorted(classes, key=lambda name: derive_seed("class order", seed, name)))


def whole(share: Decimal, count: int) -> int:
    """floor(share * count + 1/2): so many of `count` classes.

    >>> whole(Decimal("0.5"), 5)
    3
    """
    return int((share * count + Decimal("0.5")).to_integral_value(ROUND_FLOOR))


def overlapping(classes: Sequence[str], o: Decimal, seed: int) -> ClassDivision:
    """Teachers that share floor(o |U| + 1/2) of the classes, with the union U fixed.

    Shared classes are the first of the permutation, so that those of a smaller o are among those
    of a larger one. Of the rest, even places of the permutation (counted from 0) are photo-only and
    odd ones sketch-only: no class changes sides as o grows.
    """
    order = class_order(classes, seed)
    k = whole(o, len(order))
    first_even = k + k % 2
    return ClassDivision(
        shared=_sorted(order[:k]),
        photo_only=_sorted(order[first_even::2]),
        sketch_only=_sorted(order[k + 1 - k % 2 :: 2]),
    )


def overlapping_with_fixed_size(classes: Sequence[str], o: Decimal, seed: int) -> ClassDivision:
    """Teachers of n = floor(|U| / 2) classes each, floor(o n + 1/2) of them shared: a control.

    P is the first half of the permutation at every o. S is its beginning, which is nested in o, and
    as many classes of the second half as it takes; the others are left out.
    """
    order = class_order(classes, seed)
    n = len(order) // 2
    k = whole(o, n)
    return ClassDivision(
        shared=_sorted(order[:k]),
        photo_only=_sorted(order[k:n]),
        sketch_only=_sorted(order[n : 2 * n - k]),
    )


def with_unseen_share(classes: Sequence[str], share: Decimal, seed: int) -> ClassDivision:
    """The first floor(share |U| + 1/2) classes of the permutation unseen, the others shared."""
    order = class_order(classes, seed)
    count = whole(share, len(order))
    return ClassDivision(shared=_sorted(order[count:]), unseen=_sorted(order[:count]))


def _sorted(names: Sequence[str]) -> Classes:
    return tuple(sorted(names))
