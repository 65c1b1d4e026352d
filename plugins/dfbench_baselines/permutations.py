"""Renumbering the units of a residual network, which leaves its function as it is.

Units of a layer can be renumbered if whatever reads them is renumbered alike. Maps that are added
to each other share one numbering: the residual stream, from one projection to the next; inside a
block every convolution but the last has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.networks import ResNet, SmallResNet

Axes = dict[str, tuple[str | None, ...]]
"""By tensor, the numbering of each of its axes; None for an axis whose order is given."""
Permutations = Mapping[str, Tensor]
"""By numbering, `[units]`: the old place of the unit at each new place."""
FEATURES = "features"
"""The numbering of a backbone's output."""

_VECTORS = ("weight", "bias", "running_mean", "running_var")


def numberings(backbone: nn.Module) -> Axes:
    """The numberings in which the tensors of a backbone's `state_dict` stand.

    Raises `InvalidInput` for a network that is no residual network of dfbench or of torchvision.
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
    """A state with its units renumbered; tensors and numberings without entry stay."""
    return {name: renumbered(tensor, axes.get(name, ()), by) for name, tensor in state.items()}


def renumbered(tensor: Tensor, names: tuple[str | None, ...], by: Permutations) -> Tensor:
    """A tensor whose axes stand in the numberings `names`, with its units renumbered."""
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
        f"the units of a {type(backbone).__name__} cannot be matched; allowed: the residual "
        "networks, e.g. --set teachers.network=resnet-mini"
    )


def _blocks(backbone: Any) -> Iterator[tuple[str, nn.Module]]:
    """Names and residual blocks, in the order in which images pass them."""
    if isinstance(backbone, SmallResNet):
        yield from ((f"stages.{i}", block) for i, block in enumerate(backbone.stages))
        return
    for number, stage in enumerate(backbone.stages, start=1):
        yield from ((f"layer{number}.{i}", block) for i, block in enumerate(stage))


def _projects(block: nn.Module, shortcut: str) -> bool:
    return isinstance(getattr(block, shortcut, None), nn.Sequential)
