"""One stored network, looked at whole."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from dfbench.errors import InvalidInput
from dfbench.teachers.listing import entry_of
from dfbench.teachers.stored import read_facts

_COUNTED = ("weight", "bias")


def shown(path: Path) -> dict[str, Any]:
    """All that is known of a stored network, as JSON: its facts, normaliser and size.

    Raises `InvalidInput` for a file that is not as it was written.
    """
    entry = entry_of(path)
    if entry is None or read_facts(path) is None:
        raise InvalidInput(
            f"{str(path)!r} is damaged; remove it (what dfbench trained is then trained again)"
        )
    with safe_open(path, "np") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118  # safe_open is no mapping
        normaliser = {
            name: file.get_tensor(f"normaliser.{name}").ravel().tolist()
            for name in ("mean", "std")
            if f"normaliser.{name}" in shapes
        }
    parameters = sum(
        prod(shape) for name, shape in shapes.items() if name.rpartition(".")[2] in _COUNTED
    )
    return {**entry.content, **normaliser, "parameters": parameters}
