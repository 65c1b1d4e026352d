"""Student encoders, the encoder pair returned by a method, and frozen normalisation statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, SupportsIndex

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase

from dfbench.networks.backbones.registry import new_backbone
from dfbench.networks.classifier import Normaliser
from dfbench.networks.placement import convolutions
from dfbench.networks.portions import over_batch
from dfbench.networks.representations import UnitNorm

Similarity = Literal["cosine", "inner", "euclidean"]


@dataclass(frozen=True)
class Encoders:
    """The result of a method; each module maps images `[B, 3, H, W]` in [0, 1] to `[B, D]`."""

    photo: nn.Module
    sketch: nn.Module
    similarity: Similarity = "cosine"
    representations: Mapping[str, Encoders] = field(default_factory=dict)
    """Further representations of the same networks (e.g. `posterior`), scored in addition."""


class FrozenStatistics(nn.Module):
    """Mixin for a normalisation layer that always stays in evaluation mode.

    Its weight and bias are still trained. `train()`, of the layer or of an enclosing module, does
    not change the mode, so a forward pass never depends on who called `train()` last.
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
    """Freeze or release the running statistics of all normalisation layers of a network.

    Names and values of tensors do not change. A released layer is in training mode if the network
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
    """A subclass of the layer's own class, which may come from the network's library."""
    return type(f"Frozen{kind.__name__}", (FrozenStatistics, kind), {"__module__": __name__})


def _thawed(kind: type) -> Any:
    return kind.__bases__[1]


def _empty(kind: type) -> nn.Module:
    """An empty frozen layer for pickle and copy, which cannot find a dynamic class by name."""
    layer: nn.Module = nn.Module.__new__(kind)
    layer.__class__ = _frozen(kind)
    return layer


class Encoded(NamedTuple):
    """The outputs of an encoder for a batch of images, layer by layer."""

    features: Tensor
    """`[B, feature_dim]`, output of the backbone."""
    projections: Tensor
    """`[B, embedding_dim]`, output of the head."""
    embeddings: Tensor
    """`[B, embedding_dim]`, projections on the unit sphere."""


class Encoder(nn.Module):
    """Maps images `[B, 3, H, W]` in [0, 1] to unit embeddings `[B, embedding_dim]`.

    `network` names the backbone, made for images of `image_size` pixels.
    """

    def __init__(
        self, network: str, normaliser: Normaliser, embedding_dim: int, image_size: int
    ) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.backbone = new_backbone(network, image_size)
        self.head = nn.Linear(self.backbone.feature_dim, embedding_dim)
        self._frozen_statistics = False

    @property
    def frozen_statistics(self) -> bool:
        """Whether batch normalisation always uses its current running statistics.

        They are then not updated in training mode either, since the statistics of generated images
        drift from those of real ones.
        """
        return self._frozen_statistics

    @frozen_statistics.setter
    def frozen_statistics(self, frozen: bool) -> None:
        self._frozen_statistics = frozen
        freeze_statistics(self.backbone, frozen=frozen)

    def forward(self, images: Tensor) -> Tensor:
        return self.encode(images).embeddings

    def encode(self, images: Tensor) -> Encoded:
        """The embeddings of images, with the features and projections they are computed from."""
        with convolutions(images.device):
            features = over_batch(self.backbone, self.normaliser(images))
        features = features.float()
        projections = self.head(features)
        return Encoded(features, projections, functional.normalize(projections, dim=1))

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application; see `dfbench.networks.chain`."""
        return self.normaliser, self.backbone, self.head, UnitNorm()
