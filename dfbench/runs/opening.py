"""Opening the dataset that a user chose, wherever it is registered."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from dfbench.datasets.dataset import Dataset, DatasetRequest
from dfbench.errors import InvalidInput
from dfbench.plugins import load_target
from dfbench.runs.job import DatasetOffer
from dfbench.runs.request import DataChoice


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
    dataset does not take or lacks, and whatever the dataset raises.
    """
    argument = choice.name.partition(":")[2]
    if bool(argument) != (offer.argument is not None):
        form = f"{choice.kind}:{offer.argument}" if offer.argument else choice.kind
        raise InvalidInput(
            f"dataset {choice.name!r}; allowed: --dataset {form} (see: dfbench list datasets)"
        )
    if offer.argument == "PATH":
        argument = str(choice.base / Path(argument).expanduser())
    with redirect_stdout(sys.stderr):  # what a plugin prints is no result
        opening = load_target(offer.target, offer.file)
        dataset: Dataset = opening(
            DatasetRequest(
                cache=cache / "images",
                argument=argument or None,
                image_size=choice.image_size,
                classes=choice.classes,
                alternative_classes=choice.alternative_classes,
                skip_unreadable=choice.skip_unreadable,
                root=choice.root,
                holdout=choice.holdout,
                duplicate_photos=choice.duplicate_photos,
                processes=processes,
                alternative_only=alternative_only,
            )
        )
    return dataset
