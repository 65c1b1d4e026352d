"""Networks compiled by torch.compile, where a run asks for it."""

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
    """Let `compiled` compile inside the block, if `enabled`."""
    before = _COMPILED.set(enabled)
    try:
        with _many_versions() if enabled else nullcontext():
            yield
    finally:
        _COMPILED.reset(before)


@contextmanager
def _many_versions() -> Iterator[None]:
    """Let one function be compiled as often as teachers and students, learning and not, need it.

    Beyond torch's usual limit of eight it would go on without compiling.
    """
    from torch._dynamo import config  # only here: it takes a second

    before = config.recompile_limit
    config.recompile_limit = _VERSIONS
    try:
        yield
    finally:
        config.recompile_limit = before


def compiled(network: Network) -> Network:
    """The same network; inside `compiled_networks` it is compiled when it is first called.

    Names and values of its tensors stay; a copy of it is not compiled.
    """
    if _COMPILED.get():
        network.compile()
    return network


@contextmanager
def uncompiled() -> Iterator[None]:
    """Compiled networks take their steps one by one inside the block, so that hooks are called."""
    if not _COMPILED.get():
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def require_compiler(device: torch.device) -> None:
    """Raise `InvalidInput` unless torch can compile for a device on this machine."""
    try:
        torch.compile(_probe)(torch.ones(8, device=device))
    except Exception as fault:  # whatever is missing here, it is the compiler's
        reason = " ".join(str(fault).split())[:_LONGEST_REASON]
        raise InvalidInput(
            f"--compile: torch.compile does not work here for {device.type} "
            f"({type(fault).__name__}: {reason}); it needs a C++ compiler (g++), on a GPU also "
            "Triton; allowed without: leave out --compile"
        ) from fault


def _probe(x: Tensor) -> Tensor:
    return x.sin() + 1
