"""A scenario applied to a dataset: its class split, and the images of queries and gallery."""

from __future__ import annotations

from dfbench.datasets.alternative import images_of
from dfbench.datasets.dataset import Dataset, ImageSet
from dfbench.errors import InvalidInput, unknown_name
from dfbench.modality import MODALITIES, Modality
from dfbench.scenarios.division import (
    ClassDivision,
    overlapping,
    overlapping_with_fixed_size,
    with_unseen_share,
)
from dfbench.scenarios.scenario import Scenario

_ARITHMETIC = {
    "overlap": overlapping,
    "fixed-overlap": overlapping_with_fixed_size,
    "unseen": with_unseen_share,
}
_FEWEST = 2
"""Fewest classes for a classifier or a ranking."""


def divided(scenario: Scenario, dataset: Dataset, seed: int) -> ClassDivision | None:
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


def retrieval_images(
    dataset: Dataset, division: ClassDivision | None, modality: Modality
) -> ImageSet:
    """Queries (sketches) or gallery (photos) under a class split.

    These are the held-out images of the queried classes, or all images of unseen classes, on which
    nothing is trained, as in published zero-shot splits.
    """
    test = dataset.images(modality, "test")
    if division is None:
        return test
    if division.unseen:
        return images_of((dataset.images(modality, "train"), test), division.unseen)
    return images_of((test,), division.queried)


def _of_split(scenario: Scenario, dataset: Dataset) -> ClassDivision:
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
    return ClassDivision(shared=tuple(sorted(split.seen)), unseen=tuple(sorted(split.unseen)))


def _check(division: ClassDivision, scenario: Scenario, dataset: Dataset) -> None:
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
