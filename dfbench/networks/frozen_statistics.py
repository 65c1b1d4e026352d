"""Normalisation layers whose running statistics stay as they are."""

from __future__ import annotations

from functools import cache
from typing import Any, SupportsIndex

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


class FrozenStatistics(nn.Module):
    """Mixin of a normalisation layer that is in evaluation mode whatever it is told.

    Its weight and bias learn as before. No `train()`, of the layer or of a module around it,
    changes the mode, so that a forward pass never depends on who called `train()` last.
    """

    @property
    def training(self) -> bool:
        """Always False."""
        return False

    @training.setter
    def training(self, mode: bool) -> None:
        del mode

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        del protocol
        return _empty, (_thawed(type(self)),), self.__dict__


def freeze_statistics(network: nn.Module, *, frozen: bool) -> None:
    """Freeze the running statistics of all normalisation layers of a network, or release them.

    Names and values of tensors stay. A layer that is released is in training mode if the network
    is.
    """
    for layer in network.modules():
        if not isinstance(layer, _NormBase):
            continue
        if frozen and not isinstance(layer, FrozenStatistics):
            kind: type = type(layer)
            layer.__class__ = _frozen(kind)
        elif not frozen and isinstance(layer, FrozenStatistics):
            layer.__class__ = _thawed(type(layer))
            layer.training = network.training


@cache
def _frozen(kind: type) -> Any:
    """A subclass, for a layer may be one of the library that its network comes from."""
    return type(f"Frozen{kind.__name__}", (FrozenStatistics, kind), {"__module__": __name__})


def _thawed(kind: type) -> Any:
    return kind.__bases__[1]


def _empty(kind: type) -> nn.Module:
    """A frozen layer to be filled by pickle or copy, which find no class made here by its name."""
    layer: nn.Module = nn.Module.__new__(kind)
    layer.__class__ = _frozen(kind)
    return layer
