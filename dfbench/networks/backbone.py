"""What every backbone is: maps of features stage by stage, pooled at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, of images in [0, 1]."""


class Backbone(nn.Module, ABC):
    """Maps normalised images `[B, 3, H, W]` to features `[B, feature_dim]`."""

    feature_dim: int
    made_as: tuple[str, int] | None = None
    """Name and image size that `new_backbone` made it by; None if something else did."""
    published_body: str = ""
    """Begins the names of tensors that are without it in the library the network comes from."""
    published_head: str = "head"
    """Name there of the linear layer that makes logits of the features."""
    published_normalisation: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    """How images were normalised for the weights published with the network: ImageNet's own."""
    fitted_tensors: tuple[str, ...] = ()
    """Names there of the tensors whose shape follows the image size."""

    def in_published_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The same tensors by the names they have in the network's library."""
        return tensors

    @abstractmethod
    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """The output `[B, D_l, H_l, W_l]` of every stage l, first to last."""

    def stage_features(self, x: Tensor) -> tuple[Tensor, ...]:
        """The output `[B, D_l]` of every stage, averaged over space; the last are the features."""
        return tuple(pooled(stage) for stage in self.stage_maps(x))

    def forward(self, x: Tensor) -> Tensor:
        return pooled(self.stage_maps(x)[-1])


def pooled(stage: Tensor) -> Tensor:
    """`[B, D]`: maps `[B, D, H, W]` averaged over space."""
    return stage.mean(dim=(2, 3))
