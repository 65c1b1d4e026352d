"""Images optimised pixel by pixel, represented as a sum of resolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.modality import Modality
from dfbench.networks import Normaliser

_COARSEST = 4
_SPREAD = 0.3
_DARKEST, _LIGHTEST = 0.02, 0.98


class ImagePyramid(nn.Module):
    """`count` images `[B, 3, S, S]` of a modality in [0, 1], with free parameters.

    The logit of an image is the sum of maps of 4, 8, ... up to S pixels, each enlarged to S. Adam
    updates all maps at the same rate, so shapes form before texture: direct optimisation of pixels
    finds fine noise that excites a network by accident. The maps start as noise around the
    modality's mean; sketches have one channel repeated three times, so that colour cannot carry
    class evidence.
    """

    start: Tensor

    def __init__(
        self, modality: Modality, count: int, size: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.size = size
        channels = 1 if modality == "sketch" else 3
        mean = Normaliser.of(modality).mean[:, :channels].clamp(_DARKEST, _LIGHTEST)
        self.register_buffer("start", mean.logit().to(generator.device))
        maps = []
        side = size
        while side >= _COARSEST:
            shape = (count, channels, side, side)
            noise = torch.randn(shape, generator=generator, device=generator.device)
            maps.append(nn.Parameter(_SPREAD * noise))
            side //= 2
        self.maps = nn.ParameterList(maps)

    def forward(self) -> Tensor:
        logits = self.start
        for level in self.maps:
            logits = logits + functional.interpolate(level, (self.size, self.size), mode="bilinear")
        return logits.sigmoid().expand(-1, 3, -1, -1)


def roughness(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels: the total variation per pixel."""
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()
