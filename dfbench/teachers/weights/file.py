"""Reading of external weight files, without executing anything in them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from dfbench.errors import InvalidInput
from dfbench.teachers.weights.choice import Checkpoint, chosen_weights
from dfbench.teachers.weights.format import WeightsFormat, weights_format

_ARRAYS: list[Any] = [
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in np.typecodes["All"]},
    *(
        (made.__reduce__()[0], f"numpy.{package}.multiarray.{function}")
        for made, function in ((np.zeros(1), "_reconstruct"), (np.float64(0), "scalar"))
        for package in ("core", "_core")
    ),
]
"""Classes and functions in pickles of NumPy arrays and numbers, e.g. of logged accuracies."""
_GLOBAL = re.compile(r"(?:GLOBAL|class) ([\w.]+)")
_MOST = 5
"""Most pickled objects listed by name."""


def read_checkpoint(
    file: Path,
    asked_by: str,
    wanted: Mapping[str, Tensor] = MappingProxyType({}),
    entry: str | None = None,
) -> Checkpoint:
    """The weights in a file, at any nesting level, with notes on its other contents.

    `wanted` are the network's own tensors by name: the state dict with most of their names, after
    any prefix, is used; without `wanted`, the largest. `entry` selects another one by its name in
    notes and errors. `asked_by` starts error messages. Raises `InvalidInput` for a file without
    weights, or with several candidates of which none is the obvious one.
    """
    content = _content(file, asked_by)
    return chosen_weights(content, f"{asked_by}: {file.name}", wanted, entry)


def read_weights(file: Path, asked_by: str) -> dict[str, Tensor]:
    """The tensors of `read_checkpoint` alone."""
    return read_checkpoint(file, asked_by).tensors


def _content(file: Path, asked_by: str) -> Any:
    try:
        if weights_format(file, asked_by) == WeightsFormat.SAFETENSORS:
            return load_file(file)
        return _unpickled(file)
    except OSError as fault:
        raise InvalidInput(
            f"{asked_by}: {str(file)!r} cannot be read ({fault.strerror or fault}); allowed: a "
            "safetensors file or a state dict written by torch.save"
        ) from fault
    except InvalidInput:
        raise
    except Exception as fault:  # torch may raise anything for a damaged pickle
        raise InvalidInput(_unreadable(file, asked_by, fault)) from fault


def _unpickled(file: Path) -> Any:
    with file.open("rb") as opened, safe_globals(_ARRAYS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's warnings about its own formats
        return torch.load(opened, map_location="cpu", weights_only=True)  # ignores the suffix


def _unreadable(file: Path, asked_by: str, fault: Exception) -> str:
    names = sorted(_pickled_objects(file, fault))
    if names:
        more = f", and {len(names) - _MOST} more" if len(names) > _MOST else ""
        return (
            f"{asked_by}: {file.name} cannot be read as weights: it contains pickled objects "
            f"besides tensors ({', '.join(names[:_MOST])}{more}), which are never executed; "
            "allowed: tensors, numbers and strings. If you trust the file, save only its weights: "
            f"torch.save({_rescued(names)}, 'weights.pth')"
        )
    if isinstance(fault, SafetensorError):
        reason = f"it is a damaged safetensors file ({fault})"
    else:
        reason = f"it is truncated or damaged ({type(fault).__name__}: {_line(fault)})"
    return (
        f"{asked_by}: {file.name} cannot be read as weights: {reason}; allowed: a "
        "safetensors file or a state dict written by torch.save (download or copy it again)"
    )


def _pickled_objects(file: Path, fault: Exception) -> Iterable[str]:
    """Names of the classes and functions that a pickle would call, except those of tensors."""
    if not isinstance(fault, UnpicklingError):
        return ()
    try:
        with safe_globals(_ARRAYS):
            return get_unsafe_globals_in_checkpoint(str(file))
    except Exception:  # noqa: BLE001  # not a zip archive, or damaged: the message names one
        return _GLOBAL.findall(str(fault))[:1]


def _rescued(names: Iterable[str]) -> str:
    """The expression that extracts the weights from a pickled network or checkpoint."""
    loaded = "torch.load(FILE, weights_only=False)"
    whole = any(".modules." in name or ".models." in name for name in names)
    return f"{loaded}.state_dict()" if whole else f"{loaded}['state_dict']"


def _line(fault: Exception) -> str:
    return " ".join(str(fault).split())[:100] or "no reason given"
