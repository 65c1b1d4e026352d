"""Teachers: recipes, training, the cache, and the interface for methods.

Names are imported on first use, because recipes and identities do not need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfbench.teachers.activations import ActivationRecords, LayerRecord
    from dfbench.teachers.teacher import Teacher

__all__ = ["ActivationRecords", "LayerRecord", "Teacher"]

_HOMES = {"ActivationRecords": "activations", "LayerRecord": "activations", "Teacher": "teacher"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
