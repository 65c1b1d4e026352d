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
    """The same network on the device, channels last: the faster layout of every 2-D convolution."""
    network.to(device)
    network.to(memory_format=torch.channels_last)
    return network


_BFLOAT16: ContextVar[bool] = ContextVar("bfloat16 convolutions", default=False)


@contextmanager
def bfloat16_convolutions(*, enabled: bool) -> Iterator[None]:
    """Let backbones and estimators compute in bfloat16 inside the block, if `enabled`.

    What they give is rounded to bfloat16 and handed on as float32; weights, heads, losses and
    optimisers are float32 throughout. Like `torch.autocast` it holds for the calling thread, not
    for a module: the same encoder trains in bfloat16 and embeds in float32.
    """
    before = _BFLOAT16.set(enabled)
    try:
        yield
    finally:
        _BFLOAT16.reset(before)


@contextmanager
def convolutions(device: torch.device) -> Iterator[None]:
    """The block in which a network on `device` computes its convolutions.

    Outside of `bfloat16_convolutions` they are float32 whatever `torch.autocast` says around it:
    the numerics of a run are part of its identity.
    """
    with torch.autocast(device.type, torch.bfloat16, enabled=_BFLOAT16.get()):
        yield
