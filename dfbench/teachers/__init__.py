"""Teachers: recipes, training, cache; and what a method is given of them.

Names are imported when they are first used: recipes and identities need no torch.
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
