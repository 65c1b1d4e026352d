"""The modality network tells photos from sketches."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

_WIDTHS = (3, 16, 32, 32)


class ModalityNet(nn.Module):
    """Maps images `[B, 3, H, W]` in [0, 1] to logits `[B]`, positive for sketches.

    Three strided convolutions and a pooled linear head: the question is easy, and a small network
    leaves little room for the estimators to fool it.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels_in, channels_out in pairwise(_WIDTHS):
            layers += [nn.Conv2d(channels_in, channels_out, 3, 2, 1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(_WIDTHS[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(2 * images - 1).mean(dim=(2, 3))
        logits: Tensor = self.head(features).squeeze(1)
        return logits
