"""Processing of a batch by a network: at once, in micro-batches, or split among processes.

Later computations, including losses, always see the features of the whole batch. The result equals
that of the whole batch as long as nothing in the network depends on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Features = TypeVar("Features", Tensor, tuple[Tensor, ...])
Apply = Callable[[Tensor], Features]
_INDIFFERENT = (
    *(nn.modules.conv._ConvNd, nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.Identity, nn.Flatten),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Softmax),
    *(nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd),
    *(nn.modules.pooling._AdaptiveAvgPoolNd, nn.Upsample),
)
"""Deterministic layers that treat images independently and alike in training and evaluation."""


class Group(Protocol):
    """Processes that compute the same fit in parallel."""

    size: int

    def rows(self, count: int) -> slice:
        """The rows of a batch assigned to this process."""

    def gathered(self, part: Tensor, count: int) -> Tensor:
        """The shares `[n, ...]` of all processes, joined to one batch `[count, ...]`."""


@dataclass
class Portions:
    """How the networks of a run process their batches."""

    micro_batch: int | None = None
    """Largest number of images whose activations are held at a time; None for all."""
    group: Group | None = None
    """Processes that share each batch; None for a single process."""
    largest: int = 0
    """Largest number of images whose activations a network has held so far."""

    @property
    def at_once(self) -> bool:
        """Whether networks process each batch at once."""
        return self.micro_batch is None and self.group is None


_PORTIONS: ContextVar[Portions | None] = ContextVar("portions", default=None)


@contextmanager
def in_portions(portions: Portions | None) -> Iterator[None]:
    """Let networks process their batches in these portions inside the block; None: at once."""
    before = _PORTIONS.set(portions)
    try:
        yield
    finally:
        _PORTIONS.reset(before)


def over_batch(
    network: nn.Module, images: Tensor, apply: Apply[Features] | None = None
) -> Features:
    """The output of `network`, or of its method `apply`, for a batch, in the portions of this run.

    Micro-batches keep only their images for the backward pass and recompute activations. Layers
    that normalise by batch statistics use those of each micro-batch. A network is not split among
    processes if it has such layers, draws random numbers, or the batch has fewer images than there
    are processes. A network with hooks processes the whole batch at once, as hooks expect.
    """
    applied: Apply[Features] = apply or network
    portions = _PORTIONS.get()
    if portions is None:
        return applied(images)
    if portions.at_once or _observed(network):
        portions.largest = max(portions.largest, len(images))
        return applied(images)
    group = portions.group
    if group is None or len(images) < group.size or not _indifferent(network):
        return _in_micro_batches(network, images, applied, portions)
    part = _in_micro_batches(network, images[group.rows(len(images))], applied, portions)
    return _mapped(lambda features: group.gathered(features, len(images)), part)


def _in_micro_batches(
    network: nn.Module, images: Tensor, apply: Apply[Features], portions: Portions
) -> Features:
    size = min(portions.micro_batch or len(images), len(images))
    portions.largest = max(portions.largest, size)
    if size == len(images):
        return apply(images)
    if not torch.is_grad_enabled():
        return _joined([apply(part) for part in torch.split(images, size)])

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _counted_once(network)

    parts = [
        checkpoint(apply, part, use_reentrant=False, context_fn=contexts)
        for part in torch.split(images, size)
    ]
    return _joined(parts)


def _joined(parts: Sequence[Features]) -> Features:
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(list(parts))
    return tuple(torch.cat(layer) for layer in zip(*parts, strict=True))


def _mapped(function: Callable[[Tensor], Tensor], features: Features) -> Features:
    if isinstance(features, Tensor):
        return function(features)
    return tuple(function(layer) for layer in features)


@contextmanager
def _counted_once(network: nn.Module) -> Iterator[None]:
    """Keep running statistics unchanged while a forward pass is recomputed."""
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def _observed(network: nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def _indifferent(network: nn.Module) -> bool:
    """Whether each image is processed independently, without random numbers."""
    layers = (m for m in network.modules() if m.training and _is_layer(m))
    return all(isinstance(layer, _INDIFFERENT) for layer in layers)


def _is_layer(module: nn.Module) -> bool:
    """Whether a module is a layer, not a container; timm's batch norm contains its activation."""
    normalises = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return normalises or next(module.children(), None) is None
