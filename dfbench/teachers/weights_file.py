"""Files of weights from elsewhere: tensors by name; nothing in a file is ever executed."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dfbench.errors import InvalidInput

_KEYS = ("state_dict", "model_state_dict", "model")
"""Under which training scripts keep the weights among other things."""
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.")
"""What parallel training, compiling, and a module around the network put before all names."""


class Checkpoint(NamedTuple):
    """The weights of a training script's file."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]
    """What was taken off, a line each."""


def read_checkpoint(file: Path, asked_by: str) -> Checkpoint:
    """The weights of a file, also those that lie under `state_dict` or behind `module.`.

    `asked_by` begins the error. Raises `InvalidInput` for a file that holds no weights.
    """
    content, notes = _content(file, asked_by), []
    for key in _KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            notes.append(f"weights found under {key!r}")
    tensors = _tensors(content, file, asked_by)
    while prefix := next((p for p in _WRAPPERS if all(k.startswith(p) for k in tensors)), None):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        notes.append(f"{prefix!r} taken off the names of all tensors")
    return Checkpoint(tensors, tuple(notes))


def read_weights(file: Path, asked_by: str) -> dict[str, Tensor]:
    """The tensors of a file that holds nothing else, by the names they have there.

    `asked_by` begins the error. Raises `InvalidInput` for any other file.
    """
    return _tensors(_content(file, asked_by), file, asked_by)


def _content(file: Path, asked_by: str) -> Any:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as fault:
        raise InvalidInput(
            f"{asked_by}: {str(file)!r} cannot be read ({fault.strerror or fault}); allowed: a "
            "safetensors file or a state dict written by torch.save"
        ) from fault
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, ValueError) as fault:
        raise InvalidInput(
            f"{asked_by}: {file.name} cannot be read as weights; allowed: a safetensors file "
            "or a state dict of tensors alone, written by torch.save (what else a pickle holds is "
            "never executed)"
        ) from fault


def _tensors(content: Any, file: Path, asked_by: str) -> dict[str, Tensor]:
    sound = isinstance(content, dict) and content
    if not sound or not all(isinstance(value, Tensor) for value in content.values()):
        raise InvalidInput(
            f"{asked_by}: {file.name} holds no state dict; allowed: tensors by name, as "
            "network.state_dict() returns them"
        )
    return {str(name): tensor for name, tensor in content.items()}
