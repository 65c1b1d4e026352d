"""Which ranking engine serves a device; all give the same counts for the same keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TypeAlias

import torch

from dfbench.evaluation.groups import Ranked
from dfbench.evaluation.plain import rank_in_plain_torch
from dfbench.evaluation.ranking import rank_on_cpu
from dfbench.evaluation.task import Task

Engine: TypeAlias = Callable[[Task], Iterator[Ranked]]


def engine_for(device: torch.device) -> Engine:
    """The fastest engine of a device; on a GPU the fused one where Triton is installed."""
    if device.type == "cpu":
        return rank_on_cpu
    if find_spec("triton") is None:
        return rank_in_plain_torch
    from dfbench.evaluation.fused import rank_fused

    return rank_fused
