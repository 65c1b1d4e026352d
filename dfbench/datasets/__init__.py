"""Datasets: what one is, the drawn one, anybody's folder, and where alternative data come from.

Names are imported when they are first used, so that listing datasets imports no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfbench.datasets.alternative import AlternativeImages, alternative_source
    from dfbench.datasets.dataset import (
        MODALITIES,
        ClassSplit,
        Dataset,
        DatasetRequest,
        ImageSet,
        Modality,
        Part,
    )

__all__ = [
    "MODALITIES",
    "AlternativeImages",
    "ClassSplit",
    "Dataset",
    "DatasetRequest",
    "ImageSet",
    "Modality",
    "Part",
    "alternative_source",
]

_IN_ALTERNATIVE = ("AlternativeImages", "alternative_source")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'dfbench.datasets' has no attribute {name!r}")
    module = "alternative" if name in _IN_ALTERNATIVE else "dataset"
    return getattr(import_module(f"dfbench.datasets.{module}"), name)
