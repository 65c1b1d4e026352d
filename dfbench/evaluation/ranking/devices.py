"""The device on which embeddings are ranked, and its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TypeAlias

import torch

from dfbench.errors import InvalidInput, unknown_name
from dfbench.evaluation.ranking.cpu_engine import rank_on_cpu
from dfbench.evaluation.ranking.groups import Ranked
from dfbench.evaluation.ranking.task import RankingTask
from dfbench.evaluation.ranking.torch_engine import rank_in_plain_torch

Engine: TypeAlias = Callable[[RankingTask], Iterator[Ranked]]


def engine_for(device: torch.device) -> Engine:
    """The fastest engine for a device; on a GPU the counting engine if Triton is installed."""
    if device.type == "cpu":
        return rank_on_cpu
    if find_spec("triton") is None:
        return rank_in_plain_torch
    from dfbench.evaluation.ranking.gpu_engine import rank_by_counting

    return rank_by_counting


DEVICES = ("auto", "cpu", "cuda")


def chosen_device(name: str) -> torch.device:
    """The torch device named `auto` (a GPU if available), `cpu`, `cuda` or `cuda:1`.

    Raises `UnknownName` for another name and `InvalidInput` for an unavailable GPU.
    """
    kind, _, index = str(name).partition(":")
    if kind not in DEVICES or (index and not (index.isascii() and index.isdigit())):
        raise unknown_name("device", str(name), DEVICES, "dfbench evaluate --help")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise InvalidInput(
            f"device {name!r} is not available ({torch.cuda.device_count()} GPUs); allowed: auto,"
            " cpu; use --device cpu"
        )
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device("cpu")
