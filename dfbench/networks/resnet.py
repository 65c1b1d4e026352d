"""The residual networks of torchvision as backbones, with a stem that fits the image size."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dfbench.networks.backbone import Backbone
from dfbench.networks.stem import LARGE, MEDIUM

RESIDUAL = ("resnet", "resnext", "wide_resnet")
"""How torchvision's names of residual networks begin."""


class ResNet(Backbone):
    """A residual network of torchvision, e.g. `resnet18`, without its classifier.

    Original stem (7x7, stride 2, max-pooling) for images of at least 112 px; below, 3x3 without
    pooling: stride 2 from 64 px on, stride 1 for smaller ones. Parameters have torchvision's names.
    """

    published_head = "fc"
    fitted_tensors = ("conv1.weight",)

    def __init__(self, name: str, image_size: int) -> None:
        super().__init__()
        from torchvision.models import get_model  # takes a second; few runs need it

        network: Any = get_model(name, weights=None)
        self.conv1 = network.conv1 if image_size >= LARGE else _small_stem(image_size)
        self.bn1 = network.bn1
        self.relu = network.relu
        self.maxpool = network.maxpool if image_size >= LARGE else nn.Identity()
        self.layer1 = network.layer1
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4
        self.feature_dim: int = network.fc.in_features

    @property
    def stages(self) -> tuple[nn.Sequential, ...]:
        """The four stages, in order."""
        return self.layer1, self.layer2, self.layer3, self.layer4

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)


def _small_stem(image_size: int) -> nn.Conv2d:
    stem = nn.Conv2d(3, 64, 3, stride=2 if image_size >= MEDIUM else 1, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    return stem
