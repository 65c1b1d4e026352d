"""The device that embeddings are ranked on."""

from __future__ import annotations

import torch

from dfbench.errors import InvalidInput, unknown_name

DEVICES = ("auto", "cpu", "cuda")


def chosen_device(name: str) -> torch.device:
    """The torch device of `auto` (a GPU if one is there), `cpu`, `cuda` or `cuda:1`.

    Raises `UnknownName` for another name and `InvalidInput` for a GPU that is not there.
    """
    kind, _, index = str(name).partition(":")
    if kind not in DEVICES or (index and not (index.isascii() and index.isdigit())):
        raise unknown_name("device", str(name), DEVICES, "dfbench evaluate --help")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise InvalidInput(
            f"device {name!r} is not there ({torch.cuda.device_count()} GPUs); allowed: auto, cpu;"
            " use --device cpu"
        )
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device("cpu")
