"""The class split of a dataset under a scenario.

Notation: U is the set of all classes, P and S those of the photo and the sketch teacher, and o the
overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Literal

from dfbench.errors import InvalidInput, unknown_name
from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality
from dfbench.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from dfbench.datasets.dataset import Dataset

Classes = tuple[str, ...]
ScenarioKind = Literal["closed", "overlap", "unseen"]
"""What a method has to expect: teachers of the same classes, teachers of partly different ones,
or queries of classes that no teacher knows."""


@dataclass(frozen=True)
class ScenarioClasses:
    """A split of classes by the teachers that know them; the lists are sorted and disjoint."""

    shared: Classes
    """Intersection of P and S."""
    photo_only: Classes = ()
    """P without S."""
    sketch_only: Classes = ()
    """S without P."""
    unseen: Classes = ()
    """Known to neither teacher; if not empty, these are the only classes of queries and gallery."""

    def __str__(self) -> str:
        further = (
            ("to the photo teacher only", self.photo_only),
            ("to the sketch teacher only", self.sketch_only),
            ("to neither", self.unseen),
        )
        others = [f"{len(classes)} {whom}" for whom, classes in further if classes]
        return ", ".join([f"{len(self.shared)} classes known to both teachers", *others])

    def known(self, modality: Modality) -> Classes:
        """Classes of a modality's teacher, sorted."""
        own = self.photo_only if modality == "photo" else self.sketch_only
        return tuple(sorted((*self.shared, *own)))

    @property
    def queried(self) -> Classes:
        """Classes of queries and gallery, sorted."""
        return self.unseen or tuple(sorted((*self.shared, *self.photo_only, *self.sketch_only)))

    @property
    def overlap(self) -> float:
        """Intersection over union of P and S."""
        union = len(self.shared) + len(self.photo_only) + len(self.sketch_only)
        return len(self.shared) / union

    @property
    def groups(self) -> dict[str, Classes]:
        """Queried classes by the teachers that know them; without empty groups."""
        groups = {
            "shared": self.shared,
            "photo-only": self.photo_only,
            "sketch-only": self.sketch_only,
        }
        return {} if self.unseen else {name: classes for name, classes in groups.items() if classes}

    @property
    def scenario_kind(self) -> ScenarioKind:
        """The kind of scenario that this split makes for a method."""
        if self.unseen:
            return "unseen"
        return "overlap" if self.photo_only or self.sketch_only else "closed"


def class_order(classes: Sequence[str], seed: int) -> Classes:
    """A seeded permutation of the classes, the same on every machine."""
    return tuple(sorted(classes, key=lambda name: derive_seed("class order", seed, name)))


def whole(share: Decimal, count: int) -> int:
    """floor(share * count + 1/2), the number of classes for a share of `count` classes.

    >>> whole(Decimal("0.5"), 5)
    3
    """
    return int((share * count + Decimal("0.5")).to_integral_value(ROUND_FLOOR))


def overlapping(classes: Sequence[str], o: Decimal, seed: int) -> ScenarioClasses:
    """Teachers that share floor(o |U| + 1/2) classes, with a fixed union U.

    The shared classes are the first of the permutation, so those of a smaller o are a subset of
    those of a larger o. Of the rest, even positions of the permutation (from 0) are photo-only and
    odd positions sketch-only, so no class changes from one teacher to the other as o grows.
    """
    order = class_order(classes, seed)
    k = whole(o, len(order))
    first_even = k + k % 2
    return ScenarioClasses(
        shared=_sorted(order[:k]),
        photo_only=_sorted(order[first_even::2]),
        sketch_only=_sorted(order[k + 1 - k % 2 :: 2]),
    )


def overlapping_with_fixed_size(classes: Sequence[str], o: Decimal, seed: int) -> ScenarioClasses:
    """Teachers of n = floor(|U| / 2) classes each, of which floor(o n + 1/2) are shared: a control.

    P is the first half of the permutation for every o. S consists of the first, shared classes of P
    and of classes from the second half, up to n; all other classes are left out.
    """
    order = class_order(classes, seed)
    n = len(order) // 2
    k = whole(o, n)
    return ScenarioClasses(
        shared=_sorted(order[:k]),
        photo_only=_sorted(order[k:n]),
        sketch_only=_sorted(order[n : 2 * n - k]),
    )


def with_unseen_share(classes: Sequence[str], share: Decimal, seed: int) -> ScenarioClasses:
    """The first floor(share |U| + 1/2) classes of the permutation unseen, the others shared."""
    order = class_order(classes, seed)
    count = whole(share, len(order))
    return ScenarioClasses(shared=_sorted(order[count:]), unseen=_sorted(order[:count]))


def _sorted(names: Sequence[str]) -> Classes:
    return tuple(sorted(names))


_ARITHMETIC = {
    "overlap": overlapping,
    "fixed-overlap": overlapping_with_fixed_size,
    "unseen": with_unseen_share,
}
_FEWEST = 2
"""Fewest classes for a classifier or a ranking."""


def divided(scenario: Scenario, dataset: Dataset, seed: int) -> ScenarioClasses | None:
    """The class split of a dataset under a scenario; None for `closed`, where teachers know all.

    The permutation for a share depends only on class names and seed. Raises `UnknownName` for a
    split that is not published for the dataset, and `InvalidInput` for a split with missing classes
    or a share that leaves too few classes.
    """
    if scenario.kind == "closed":
        return None
    if scenario.share is None:
        division = _of_split(scenario, dataset)
    else:
        division = _ARITHMETIC[scenario.kind](dataset.classes, scenario.share, seed)
    _check(division, scenario, dataset)
    return division


def _of_split(scenario: Scenario, dataset: Dataset) -> ScenarioClasses:
    published = {name.lower(): split for name, split in dataset.splits.items()}
    wanted = scenario.split or ""
    if not published:
        raise InvalidInput(
            f"scenario '{scenario}': no split is published for these {len(dataset.classes)} "
            f"classes of {dataset.name!r}; allowed: a share of them, e.g. --scenario unseen=0.25 "
            "(published splits cover all classes of their dataset: see dfbench list datasets)"
        )
    if wanted not in published:
        raise unknown_name(
            f"split of {dataset.name}", wanted, published, f"dfbench data verify {dataset.name}"
        )
    split = published[wanted]
    absent = sorted({*split.seen, *split.unseen} - set(dataset.classes))
    if absent:
        raise InvalidInput(
            f"scenario '{scenario}': the split names {len(absent)} classes that {dataset.name!r} "
            f"does not have, e.g. {absent[0]!r}; allowed: a split of its own classes, or a share "
            "of them, e.g. --scenario unseen=0.25"
        )
    return ScenarioClasses(shared=tuple(sorted(split.seen)), unseen=tuple(sorted(split.unseen)))


def _check(division: ScenarioClasses, scenario: Scenario, dataset: Dataset) -> None:
    start = f"scenario '{scenario}' of {len(dataset.classes)} classes of {dataset.name!r}"
    if not division.shared and not division.unseen:
        raise InvalidInput(f"{start} leaves no shared class; allowed: a larger overlap")
    for modality in MODALITIES:
        known = division.known(modality)
        if len(known) < _FEWEST:
            raise InvalidInput(
                f"{start} leaves the {modality} teacher {len(known)} classes; allowed: two or "
                "more (see: --classes)"
            )
    if scenario.kind == "unseen" and len(division.unseen) < _FEWEST:
        raise InvalidInput(
            f"{start} leaves {len(division.unseen)} unseen classes; allowed: two or more, so that "
            "the ranking is not trivial"
        )
