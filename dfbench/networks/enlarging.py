"""A network that looks at images in a larger size than they have."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from dfbench.networks.backbone import Backbone
from dfbench.networks.resizing import resized


class Enlarging(Backbone):
    """A backbone behind normalised images resized to `size` x `size` pixels.

    `network` was made for images of that size. What it costs is what they cost, whatever the size
    of the images that it is given.
    """

    def __init__(self, network: Backbone, size: int) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.feature_dim = network.feature_dim
        self.published_body = f"network.{network.published_body}"
        self.published_head = network.published_head
        self.published_normalisation = network.published_normalisation
        self.fitted_tensors = network.fitted_tensors

    def in_published_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return self.network.in_published_names(tensors)

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.stage_maps(resized(x, self.size))

    def stage_features(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.network.stage_features(resized(x, self.size))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network(resized(x, self.size))
        return features
