"""Permutations of the units of a residual network that preserve its function.

Units of a layer can be permuted if all layers that read them are permuted alike. Maps that are
added to each other share one order of units: the residual stream, from one projection to the next;
inside a block every convolution but the last has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.networks import ResNet, SmallResNet

Axes = dict[str, tuple[str | None, ...]]
"""By tensor, the name of the unit order of each axis; None for an axis that is not permuted."""
Permutations = Mapping[str, Tensor]
"""By unit order, `[units]`: the old index of the unit at each new index."""
FEATURES = "features"
"""The unit order of a backbone's output."""

_VECTORS = ("weight", "bias", "running_mean", "running_var")


def numberings(backbone: nn.Module) -> Axes:
    """The unit orders of the axes of all tensors of a backbone's `state_dict`.

    Raises `InvalidInput` for a network that is not a built-in or torchvision residual network.
    """
    axes: Axes = {}
    stream = "stem"
    convolution, normalisation = _stem(backbone)
    axes |= _unit(convolution, normalisation, None, stream)
    for name, block in _blocks(backbone):
        incoming = stream
        projection = next((p for p in ("shortcut", "downsample") if _projects(block, p)), None)
        if projection is not None:
            stream = name
            axes |= _unit(f"{name}.{projection}.0", f"{name}.{projection}.1", incoming, stream)
        depth = 3 if hasattr(block, "conv3") else 2
        inner = [incoming, *(f"{name}.{i}" for i in range(1, depth)), stream]
        for i in range(depth):
            axes |= _unit(f"{name}.conv{i + 1}", f"{name}.bn{i + 1}", inner[i], inner[i + 1])
    return {
        tensor: tuple(FEATURES if axis == stream else axis for axis in names)
        for tensor, names in axes.items()
    }


def permuted(state: Mapping[str, Tensor], axes: Axes, by: Permutations) -> dict[str, Tensor]:
    """A state with its units permuted; tensors and orders without an entry do not change."""
    return {name: renumbered(tensor, axes.get(name, ()), by) for name, tensor in state.items()}


def renumbered(tensor: Tensor, names: tuple[str | None, ...], by: Permutations) -> Tensor:
    """A tensor with the units along its axes permuted; `names` are the unit orders of the axes."""
    for axis, name in enumerate(names):
        if name is not None and name in by:
            tensor = tensor.index_select(axis, by[name])
    return tensor


def _unit(convolution: str, normalisation: str, reads: str | None, writes: str) -> Axes:
    """A convolution and the batch normalisation that follows it."""
    axes: Axes = {f"{normalisation}.{vector}": (writes,) for vector in _VECTORS}
    return axes | {f"{convolution}.weight": (writes, reads, None, None)}


def _stem(backbone: nn.Module) -> tuple[str, str]:
    if isinstance(backbone, SmallResNet):
        return "stem.0", "stem.1"
    if isinstance(backbone, ResNet):
        return "conv1", "bn1"
    raise InvalidInput(
        f"the units of a {type(backbone).__name__} cannot be matched; allowed: residual networks, "
        "e.g. --set teachers.network=resnet-mini"
    )


def _blocks(backbone: Any) -> Iterator[tuple[str, nn.Module]]:
    """Names and residual blocks, in the order of the forward pass."""
    if isinstance(backbone, SmallResNet):
        yield from ((f"stages.{i}", block) for i, block in enumerate(backbone.stages))
        return
    for number, stage in enumerate(backbone.stages, start=1):
        yield from ((f"layer{number}.{i}", block) for i, block in enumerate(stage))


def _projects(block: nn.Module, shortcut: str) -> bool:
    return isinstance(getattr(block, shortcut, None), nn.Sequential)
