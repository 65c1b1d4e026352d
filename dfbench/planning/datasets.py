"""Opening the dataset that a user chose, wherever it is registered."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from dfbench.datasets.dataset import Dataset, DatasetRequest
from dfbench.errors import DfbenchError, InvalidInput, PluginFault
from dfbench.plugins.code import describe_fault, load_target, plugin_code
from dfbench.process.messages import DatasetOffer
from dfbench.request import DataChoice


def open_choice(
    choice: DataChoice,
    offer: DatasetOffer,
    cache: Path,
    processes: int | None = None,
    *,
    alternative_only: bool = False,
) -> Dataset:
    """Open a dataset; its images are prepared first, by so many processes, where they are not.

    `cache` is the folder of all that dfbench keeps; `alternative_only` says that the dataset serves
    as another one's alternative data. Raises `InvalidInput` for an argument that the
    dataset does not take or lacks, whatever a dataset of dfbench raises, and `PluginFault` for what
    another one raises that is no `DfbenchError`.
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
