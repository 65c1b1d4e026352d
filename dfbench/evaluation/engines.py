"""Which ranking engine serves a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch

from dfbench.evaluation.groups import Ranked
from dfbench.evaluation.plain import rank_in_plain_torch
from dfbench.evaluation.ranking import rank_on_cpu
from dfbench.evaluation.task import Task

Engine: TypeAlias = Callable[[Task], Iterator[Ranked]]


def engine_for(device: torch.device) -> Engine:
    """The fastest engine of a device; every engine gives the same counts for the same keys."""
    return rank_on_cpu if device.type == "cpu" else rank_in_plain_torch
