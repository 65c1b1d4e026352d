"""Checks of dataset options, shared by all datasets."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dfbench.class_names import encodable
from dfbench.datasets.dataset import DatasetRequest
from dfbench.errors import InvalidInput


def check_classes(title: str, benchmark: Collection[str], alternative: Collection[str]) -> None:
    """Raise `InvalidInput` for a class in both lists, and for fewer than two benchmark classes."""
    both = sorted({*benchmark} & {*alternative})
    if both:
        raise InvalidInput(
            f"class {both[0]!r} is both a benchmark and an alternative class: "
            "leave it out of one of the two"
        )
    if len(benchmark) < 2:
        raise InvalidInput(
            f"{len(benchmark)} benchmark classes of {title}: a classifier needs two or more "
            "(see: --classes)"
        )


def check_place(folder: Path) -> None:
    """Raise `InvalidInput` for a path that cannot be recorded in a run's files."""
    if not encodable(str(folder.absolute())):
        raise InvalidInput(
            f"the path {str(folder.absolute())!a} is not UTF-8, so runs cannot record it: "
            "rename the folder, or use a symbolic link to it"
        )


def check_unpublished(title: str, request: DatasetRequest) -> None:
    """Raise `InvalidInput` for an option that applies to published datasets only."""
    if request.holdout != "fifth" or request.duplicate_photos:
        option = (
            "--duplicate-photos" if request.duplicate_photos else f"--holdout {request.holdout}"
        )
        raise InvalidInput(
            f"{option} does not apply to {title}, only to published datasets; remove the option"
        )
