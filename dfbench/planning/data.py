"""Opening the dataset that a user chose, and its images for retrieval."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from dfbench.datasets.alternative import images_of
from dfbench.datasets.dataset import Dataset, DatasetRequest, ImageSet
from dfbench.errors import DfbenchError, InvalidInput, PluginFault
from dfbench.modality import Modality
from dfbench.plugins.code import describe_fault, load_target, plugin_code
from dfbench.process.messages import DatasetOffer
from dfbench.request import DataChoice
from dfbench.scenarios.classes import ScenarioClasses


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
