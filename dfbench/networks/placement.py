"""Device, memory format and precision of networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def placed(network: Network, device: torch.device) -> Network:
    """The same network on the device, in channels-last format, the faster one for convolutions."""
    network.to(device)
    network.to(memory_format=torch.channels_last)
    return network


_BFLOAT16: ContextVar[bool] = ContextVar("bfloat16 convolutions", default=False)


@contextmanager
def bfloat16_convolutions(*, enabled: bool) -> Iterator[None]:
    """Let backbones and estimators compute in bfloat16 inside the block, if `enabled`.

    Their outputs are rounded to bfloat16 and passed on as float32; weights, heads, losses and
    optimisers are always float32. Like `torch.autocast` it applies to the calling thread, not to a
    module: the same encoder trains in bfloat16 and embeds in float32.
    """
    before = _BFLOAT16.set(enabled)
    try:
        yield
    finally:
        _BFLOAT16.reset(before)


@contextmanager
def convolutions(device: torch.device) -> Iterator[None]:
    """The context in which a network on `device` computes its convolutions.

    Outside `bfloat16_convolutions` they are float32 even within `torch.autocast`: the numerics of a
    run are part of its identity.
    """
    with torch.autocast(device.type, torch.bfloat16, enabled=_BFLOAT16.get()):
        yield
