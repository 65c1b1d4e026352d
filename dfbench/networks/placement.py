"""Device, memory format, precision and compilation of networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput

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


_COMPILED: ContextVar[bool] = ContextVar("compiled networks", default=False)
_LONGEST_REASON = 160
_VERSIONS = 64


@contextmanager
def compiled_networks(*, enabled: bool) -> Iterator[None]:
    """Enable `compiled` inside the block, if `enabled`."""
    before = _COMPILED.set(enabled)
    try:
        with _many_versions() if enabled else nullcontext():
            yield
    finally:
        _COMPILED.reset(before)


@contextmanager
def _many_versions() -> Iterator[None]:
    """Raise the limit of compiled versions of one function, for teachers and students in each mode.

    Above torch's default limit of eight, further versions would run uncompiled.
    """
    from torch._dynamo import config  # only here: the import takes a second

    before = config.recompile_limit
    config.recompile_limit = _VERSIONS
    try:
        yield
    finally:
        config.recompile_limit = before


def compiled(network: Network) -> Network:
    """The same network; inside `compiled_networks` it is compiled on its first call.

    Names and values of its tensors do not change; copies of it are not compiled.
    """
    if _COMPILED.get():
        network.compile()
    return network


@contextmanager
def uncompiled() -> Iterator[None]:
    """Run compiled networks eagerly inside the block, so that hooks are called."""
    if not _COMPILED.get():
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def require_compiler(device: torch.device) -> None:
    """Raise `InvalidInput` unless torch can compile for a device on this machine."""
    try:
        torch.compile(_probe)(torch.ones(8, device=device))
    except Exception as fault:  # any failure here is a failure of the compiler
        reason = " ".join(str(fault).split())[:_LONGEST_REASON]
        raise InvalidInput(
            f"--compile: torch.compile does not work here for {device.type} "
            f"({type(fault).__name__}: {reason}); it needs a C++ compiler (g++), on a GPU also "
            "Triton; allowed without: leave out --compile"
        ) from fault


def _probe(x: Tensor) -> Tensor:
    return x.sin() + 1
