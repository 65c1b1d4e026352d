"""Residual networks: torchvision's with an adapted stem, and small ones for training on CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from dfbench.networks.backbones.backbone import LARGE, MEDIUM, Backbone

RESIDUAL = ("resnet", "resnext", "wide_resnet")
"""Prefixes of torchvision's names of residual networks."""


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


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation and a shortcut (He et al. 2016, figure 2)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class SmallResNet(Backbone):
    """A residual network for 32 to 64 px: stride-2 stem, one block per stage, average pooling."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        strides = [1] + [2] * (len(widths) - 1)
        pairs = zip([widths[0], *widths[:-1]], widths, strides, strict=True)
        self.stages = nn.Sequential(*(ResidualBlock(i, o, stride) for i, o, stride in pairs))
        self.feature_dim = widths[-1]

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)


resnet18 = partial(ResNet, "resnet18")
"""Builds the network for an image size; so do the next three."""
resnet34 = partial(ResNet, "resnet34")
resnet50 = partial(ResNet, "resnet50")
wide_resnet50_2 = partial(ResNet, "wide_resnet50_2")


def resnet_tiny(image_size: int) -> SmallResNet:
    """The smallest network, for tests and quick trials."""
    del image_size
    return SmallResNet((16, 32, 64))


def resnet_mini(image_size: int) -> SmallResNet:
    """The default network of teachers at 32 px."""
    del image_size
    return SmallResNet((32, 64, 128))
