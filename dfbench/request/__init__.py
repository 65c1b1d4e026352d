"""What a user asks of one run: its options, each declared once."""

from dfbench.request.limits import Limits
from dfbench.request.run import (
    DataChoice,
    DataOptions,
    ExternalOptions,
    FitOptions,
    MachineOptions,
    Places,
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
