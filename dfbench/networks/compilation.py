"""Compilation of networks by torch.compile, if a run requests it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput

Network = TypeVar("Network", bound=nn.Module)
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
