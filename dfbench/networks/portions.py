"""How a network goes over a batch: at once, in micro-batches, or shared out among processes.

Whatever is done with the features afterwards sees those of the whole batch, and so do losses: they
do not notice. A portion is computed as the whole would be as long as nothing in the network
depends on the rest of its batch.
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
"""Layers that do the same in training as in evaluation, image by image, and draw nothing."""


class Group(Protocol):
    """Processes that do the same fit side by side."""

    size: int

    def rows(self, count: int) -> slice:
        """The share that the process at hand has of a batch."""

    def gathered(self, part: Tensor, count: int) -> Tensor:
        """What all made of their shares `[n, ...]`, as one batch `[count, ...]`."""


@dataclass
class Portions:
    """How networks go over their batches in a run."""

    micro_batch: int | None = None
    """The most images whose activations are held at a time; None for all."""
    group: Group | None = None
    """Among whom batches are shared out; None for a process that is by itself."""
    largest: int = 0
    """The most images that a network held the activations of so far."""

    @property
    def at_once(self) -> bool:
        """Whether networks take each batch as it is."""
        return self.micro_batch is None and self.group is None


_PORTIONS: ContextVar[Portions | None] = ContextVar("portions", default=None)


@contextmanager
def in_portions(portions: Portions | None) -> Iterator[None]:
    """Let networks go over their batches so inside the block; None: all at once."""
    before = _PORTIONS.set(portions)
    try:
        yield
    finally:
        _PORTIONS.reset(before)


def over_batch(
    network: nn.Module, images: Tensor, apply: Apply[Features] | None = None
) -> Features:
    """What `network`, or its method `apply`, makes of a batch, in the portions of this run.

    Micro-batches keep nothing for the backward pass but their images: activations are computed
    again. Layers that normalise a batch by its own statistics take those of each micro-batch, and
    a network that has any is not shared out; nor is one that draws random numbers, or is too small
    a batch to be. A network with hooks takes the whole batch at once, as its observer expects.
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
    """Running statistics stay as they are while a forward pass is done again."""
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
    """Whether each image is computed by itself, and nothing is drawn."""
    layers = (m for m in network.modules() if m.training and _is_layer(m))
    return all(isinstance(layer, _INDIFFERENT) for layer in layers)


def _is_layer(module: nn.Module) -> bool:
    """Whether a module is no container; timm's batch normalisation has its activation inside."""
    normalises = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return normalises or next(module.children(), None) is None
