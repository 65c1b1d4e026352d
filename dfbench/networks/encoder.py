"""The student: a backbone with a linear head whose output, on the unit sphere, is the embedding."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from dfbench.networks.backbones import new_backbone
from dfbench.networks.frozen_statistics import freeze_statistics
from dfbench.networks.normaliser import Normaliser
from dfbench.networks.portions import over_batch
from dfbench.networks.precision import convolutions
from dfbench.networks.readings import UnitNorm


class Encoded(NamedTuple):
    """What an encoder makes of a batch of images, layer by layer."""

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
        """Whether batch normalisation always uses the running statistics it has.

        They then stay as they are, in training mode too: those of generated images drift from the
        real ones.
        """
        return self._frozen_statistics

    @frozen_statistics.setter
    def frozen_statistics(self, frozen: bool) -> None:
        self._frozen_statistics = frozen
        freeze_statistics(self.backbone, frozen=frozen)

    def forward(self, images: Tensor) -> Tensor:
        return self.encode(images).embeddings

    def encode(self, images: Tensor) -> Encoded:
        """The embeddings of images with what they are made of."""
        with convolutions(images.device):
            features = over_batch(self.backbone, self.normaliser(images))
        features = features.float()
        projections = self.head(features)
        return Encoded(features, projections, functional.normalize(projections, dim=1))

    def as_parts(self) -> tuple[nn.Module, ...]:
        """What it applies one after the other; see `dfbench.networks.chain`."""
        return self.normaliser, self.backbone, self.head, UnitNorm()
