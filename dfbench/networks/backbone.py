"""What every backbone is: maps of features stage by stage, pooled at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Maps normalised images `[B, 3, H, W]` to features `[B, feature_dim]`."""

    feature_dim: int
    made_as: tuple[str, int] | None = None
    """Name and image size that `new_backbone` made it by; None if something else did."""
    published_body: str = ""
    """Begins the names of tensors that are without it in the library the network comes from."""
    published_head: str = "head"
    """Name there of the linear layer that makes logits of the features."""

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
