"""Opening the dataset that a user chose, and applying a scenario to it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from dfbench.datasets.alternative import images_of
from dfbench.datasets.dataset import Dataset, DatasetRequest, ImageSet
from dfbench.errors import DfbenchError, InvalidInput, PluginFault, unknown_name
from dfbench.modality import MODALITIES, Modality
from dfbench.plugins.code import describe_fault, load_target, plugin_code
from dfbench.process.messages import DatasetOffer
from dfbench.request import DataChoice
from dfbench.scenarios.classes import (
    ScenarioClasses,
    overlapping,
    overlapping_with_fixed_size,
    with_unseen_share,
)
from dfbench.scenarios.scenario import Scenario


def open_choice(
    choice: DataChoice,
    offer: DatasetOffer,
    cache: Path,
    processes: int | None = None,
    *,
    alternative_only: bool = False,
) -> Dataset:
    """Open a dataset; images that are not prepared yet are prepared by `processes` processes.

    `cache` is dfbench's cache folder; with `alternative_only` the dataset only provides another
    one's alternative data. Raises `InvalidInput` for a missing or unexpected argument, any error of
    a built-in dataset, and `PluginFault` for an error of another dataset that is not a
    `DfbenchError`.
    """
    argument = choice.name.partition(":")[2]
    if bool(argument) != (offer.argument is not None):
        form = f"{choice.kind}:{offer.argument}" if offer.argument else choice.kind
        raise InvalidInput(
            f"dataset {choice.name!r}; allowed: --dataset {form} (see: dfbench list datasets)"
        )
    if offer.argument == "PATH":
        argument = str(choice.base / Path(argument).expanduser())
    options = choice.model_dump(include={field.name for field in fields(DatasetRequest)})
    request = DatasetRequest(
        cache=cache / "images",
        argument=argument or None,
        processes=processes,
        alternative_only=alternative_only,
        **{**options, "holdout": choice.holdout or "fifth"},
    )
    try:
        with plugin_code():
            dataset: Dataset = load_target(offer.target, offer.file)(request)
    except DfbenchError:
        raise
    except Exception as fault:
        if offer.target.partition(".")[0] == "dfbench":
            raise
        raise PluginFault(
            f"dataset {choice.name!r} cannot be opened: {offer.target} raised "
            f"{describe_fault(fault)}"
        ) from fault
    return dataset


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


def retrieval_images(
    dataset: Dataset, division: ScenarioClasses | None, modality: Modality
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
