"""Estimators (generators) of one modality: noise in, images in [0, 1] out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidConfig
from dfbench.networks.placement import convolutions

_COARSEST = 7
"""Smallest height and width of the coarsest map: 8 for 32 or 64 px, 7 for 224."""


class Estimator(nn.Module):
    """Maps noise `[B, latent_dim]` to images `[B, 3, size, size]` in [0, 1].

    A linear layer to a map of 8 x 8 (7 x 7 for 224 px), then one nearest-neighbour upsampling and
    convolution per doubling. The output is a plain sigmoid, which can produce pure white and pure
    black. With `channels=1` one channel is repeated three times, so that the colour of a sketch
    cannot carry class evidence. `brightness` is the initial output logit (0: mid-grey, 2:
    near-white paper).

    Raises `InvalidConfig` unless `size` is 7 to 13 times a power of two, at least 14.
    """

    def __init__(
        self, latent_dim: int, size: int, *, channels: int, width: int, brightness: float = 0.0
    ) -> None:
        super().__init__()
        doublings = (size // _COARSEST).bit_length() - 1
        if doublings < 1 or size % 2**doublings:
            raise InvalidConfig(
                f"an estimator makes images of 16, 32, 64, 128, 224, ... px (7 to 13 times a power "
                f"of two); not {size}; use --image-size"
            )
        self.width = width
        self.coarsest = size >> doublings
        self.project = nn.Linear(latent_dim, width * self.coarsest**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(width)]
        for level in range(doublings):
            channels_out = width if level < doublings - 1 else width // 2
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, channels_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels_out),
                nn.LeakyReLU(0.2),
            ]
        self.body = nn.Sequential(*layers)
        self.to_image = nn.Conv2d(width // 2, channels, 3, padding=1)
        nn.init.constant_(_bias(self.to_image), brightness)

    def forward(self, noise: Tensor) -> Tensor:
        coarse = self.project(noise).view(-1, self.width, self.coarsest, self.coarsest)
        with convolutions(noise.device):
            logits = self.to_image(self.body(coarse))
        images = torch.sigmoid(logits.float())
        return images.expand(-1, 3, -1, -1)


def _bias(layer: nn.Conv2d) -> Tensor:
    if layer.bias is None:
        raise ValueError("a convolution without bias cannot set the brightness")
    return layer.bias
