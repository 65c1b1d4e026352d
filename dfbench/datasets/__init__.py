"""Datasets: the protocol, the built-in datasets and the choice of alternative data.

Names are imported on first use, so that listing datasets does not import numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfbench.datasets.alternative import AlternativeImages, alternative_source
    from dfbench.datasets.dataset import ClassSplit, Dataset, DatasetRequest, ImageSet, Part
    from dfbench.modality import MODALITIES, Modality

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

_HOMES = {
    "AlternativeImages": "dfbench.datasets.alternative",
    "MODALITIES": "dfbench.modality",
    "Modality": "dfbench.modality",
    "alternative_source": "dfbench.datasets.alternative",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'dfbench.datasets' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "dfbench.datasets.dataset")), name)
