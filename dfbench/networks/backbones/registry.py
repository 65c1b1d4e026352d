"""Registry of backbones, used by teachers and encoders: images in, pooled features out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dfbench.errors import InvalidInput, unknown_name
from dfbench.networks.backbones import efficientnet_lite, timm_models, torchvision_models
from dfbench.networks.backbones.backbone import Backbone
from dfbench.networks.backbones.library import LibraryBackbone
from dfbench.networks.backbones.resizing import Resizing
from dfbench.networks.backbones.resnet import ResNet, SmallResNet
from dfbench.networks.backbones.torchvision_models import FITTED, fitted_network

Builder = Callable[[int], Backbone]
"""Makes a network for an image size in pixels."""

_FITTED = "fitted"
_LARGEST = 1024
_ENLARGED = 96
"""Size in pixels to which smaller images are enlarged for EfficientNet-Lite. Among teachers trained
at equal cost on 64 px images, those at 96 px were best: photos need the resolution, sketches the
steps."""
_RESNETS = ("resnet18", "resnet34", "resnet50", "wide_resnet50_2")
_BACKBONES: dict[str, Builder] = {
    "resnet-tiny": lambda _: SmallResNet((16, 32, 64)),
    "resnet-mini": lambda _: SmallResNet((32, 64, 128)),
    **{name: partial(ResNet, name) for name in _RESNETS},
    **{name: partial(fitted_network, name) for name in FITTED},
}
_FROM_EXTRAS: dict[str, Callable[[str], Builder]] = dict.fromkeys(
    efficientnet_lite.NETWORKS, efficientnet_lite.builder
)
_LIBRARIES: dict[str, Callable[[str], Builder]] = {
    "timm": timm_models.builder,
    "torchvision": torchvision_models.builder,
}


def backbone_names() -> tuple[str, ...]:
    """Names of networks that adapt to the image size, sorted.

    `new_backbone` also accepts `torchvision:NAME` and `timm:NAME`.
    """
    return tuple(sorted((*_BACKBONES, *_FROM_EXTRAS)))


def builder(name: str) -> Builder:
    """Builder of the network with this name: one of `backbone_names()`, or from a library.

    `torchvision:NAME` and `timm:NAME` are the library's classifiers, unchanged for any image size.
    `NAME@fitted` is a library's network with its first strides removed for small images,
    `NAME@128` any network on images resized to 128 px. EfficientNet-Lite without `@` enlarges
    images below 96 px to that size. Raises `UnknownName`, and `InvalidInput` for a library that is
    not installed or an invalid suffix after the @.
    """
    plain, at, manner = name.partition("@")
    build = _plain(plain)
    if not at:
        return partial(_at_least, build) if plain in _FROM_EXTRAS else build
    if manner == _FITTED:
        if plain in _BACKBONES:
            raise InvalidInput(
                f"network {name!r} already adapts to the image size; allowed: {plain}"
            )
        return partial(_fitted, name, build)
    if not manner.isdecimal() or not 1 <= int(manner) <= _LARGEST:
        raise InvalidInput(
            f"network {name!r}; allowed after the @: {_FITTED} (first strides removed for small "
            f"images), or the pixels that images are resized to, 1 to {_LARGEST}, e.g. {plain}@128"
        )
    return partial(_resizing, build, int(manner))


def _fitted(name: str, build: Builder, image_size: int) -> Backbone:
    backbone = build(image_size)
    if not isinstance(backbone, LibraryBackbone):
        own = name.partition("@")[0].partition(":")[2]
        raise InvalidInput(
            f"network {name!r} keeps its strides; allowed: {own}, which adapts to the image size"
        )
    backbone.fit(image_size)
    return backbone


def _resizing(build: Builder, size: int, image_size: int) -> Backbone:
    network = build(size)
    return network if size == image_size else Resizing(network, size)


def _at_least(build: Builder, image_size: int) -> Backbone:
    return _resizing(build, max(image_size, _ENLARGED), image_size)


def _plain(name: str) -> Builder:
    library, _, own_name = name.partition(":")
    if own_name and library in _LIBRARIES:
        return _LIBRARIES[library](own_name)
    if name in _FROM_EXTRAS:
        return _FROM_EXTRAS[name](name)
    if name not in _BACKBONES:
        allowed = (*backbone_names(), *(f"{library}:NAME" for library in _LIBRARIES))
        raise unknown_name("network", name, allowed, "dfbench teachers import --help")
    return _BACKBONES[name]


def new_backbone(name: str, image_size: int) -> Backbone:
    """A newly initialised backbone; weights come from torch's global generator.

    `image_size` (pixels) decides the stem of networks that adapt to it. Raises the errors of
    `builder`, and `InvalidInput` for a network that cannot take such images.
    """
    backbone = builder(name)(image_size)
    backbone.made_as = (name, image_size)
    return backbone
