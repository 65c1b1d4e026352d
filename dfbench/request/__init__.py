"""What a user asks of one run: its options, each declared once.

Names are imported on first use: most commands need the folders of a run alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfbench.request.limits import Limits
    from dfbench.request.places import Places
    from dfbench.request.run import (
        DataChoice,
        DataOptions,
        ExternalOptions,
        FitOptions,
        MachineOptions,
        Precision,
        RerankOptions,
        RunOptions,
        RunRequest,
        StrPath,
        read_options,
    )
    from dfbench.request.settings import Settings

__all__ = [
    "DataChoice",
    "DataOptions",
    "ExternalOptions",
    "FitOptions",
    "Limits",
    "MachineOptions",
    "Places",
    "Precision",
    "RerankOptions",
    "RunOptions",
    "RunRequest",
    "Settings",
    "StrPath",
    "read_options",
]

_HOMES = {"Limits": "limits", "Places": "places", "Settings": "settings"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'run')}"), name)
