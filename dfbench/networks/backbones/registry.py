"""Registry of backbones, used by teachers and encoders: images in, pooled features out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from dfbench.builtin import dfbench_networks
from dfbench.errors import InvalidInput, PluginFault, unknown_name
from dfbench.hookspecs import NetworkSpec
from dfbench.networks.backbones.backbone import Backbone, Resizing
from dfbench.networks.backbones.library import LibraryBackbone, timm_builder, torchvision_builder

Builder = Callable[[int], Backbone]
"""Makes a network for an image size in pixels."""

_FITTED = "fitted"
_LARGEST = 1024


@dataclass(frozen=True)
class _Network:
    spec: NetworkSpec
    load: Callable[[], Builder]


def _own(spec: NetworkSpec) -> _Network:
    def load() -> Builder:
        module, _, attribute = spec.target.partition(":")
        found: Builder = getattr(import_module(module), attribute)
        return found

    return _Network(spec, load)


_NETWORKS = {spec.name: _own(spec) for spec in dfbench_networks()}
_BUILT_IN = frozenset(_NETWORKS)
_LIBRARIES: dict[str, Callable[[str], Builder]] = {
    "timm": timm_builder,
    "torchvision": torchvision_builder,
}


def register(spec: NetworkSpec, load: Callable[[], Builder]) -> None:
    """Add a plugin's network to those of this process; `load` imports its builder when it is used.

    Raises `PluginFault` for the name of a built-in network.
    """
    if spec.name in _BUILT_IN:
        raise PluginFault(f"the network name {spec.name!r} is taken by dfbench; rename it")
    _NETWORKS[spec.name] = _Network(spec, load)


def plain_name(name: str) -> str:
    """The name of a network without what follows the @.

    >>> plain_name("resnet18@128")
    'resnet18'
    """
    return name.partition("@")[0]


def is_known(name: str) -> bool:
    """Whether `builder` finds the network without a further plugin."""
    plain = plain_name(name)
    return plain in _NETWORKS or plain.partition(":")[0] in _LIBRARIES


def backbone_names() -> tuple[str, ...]:
    """Names of networks that adapt to the image size, sorted.

    `new_backbone` also accepts `torchvision:NAME` and `timm:NAME`.
    """
    return tuple(sorted(_NETWORKS))


def available_names() -> tuple[str, ...]:
    """What the name of a network can be: `backbone_names()`, and forms such as `timm:NAME`."""
    return (*backbone_names(), *(f"{library}:NAME" for library in _LIBRARIES))


def builder(name: str) -> Builder:
    """Builder of the network with this name: one of `backbone_names()`, or from a library.

    `torchvision:NAME` and `timm:NAME` are the library's classifiers, unchanged for any image size.
    `NAME@fitted` is a library's network with its first strides removed for small images,
    `NAME@128` any network on images resized to 128 px. Without `@`, some networks enlarge small
    images (`enlarged_to` of their spec). Raises `UnknownName`, `InvalidInput` for a library that is
    not installed or an invalid suffix after the @, and `PluginFault` for a plugin's network that
    cannot be loaded.
    """
    plain, at, manner = name.partition("@")
    build = _plain(plain)
    if not at:
        least = _NETWORKS[plain].spec.enlarged_to if plain in _NETWORKS else 0
        return partial(_at_least, build, least) if least else build
    if manner == _FITTED:
        if plain in _NETWORKS and not _NETWORKS[plain].spec.enlarged_to:
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
        plain = plain_name(name)
        own = plain.partition(":")[2] or plain
        raise InvalidInput(
            f"network {name!r} keeps its strides; allowed: {own}, which adapts to the image size"
        )
    backbone.fit(image_size)
    return backbone


def _resizing(build: Builder, size: int, image_size: int) -> Backbone:
    network = build(size)
    return network if size == image_size else Resizing(network, size)


def _at_least(build: Builder, least: int, image_size: int) -> Backbone:
    return _resizing(build, max(image_size, least), image_size)


def _plain(name: str) -> Builder:
    library, _, own_name = name.partition(":")
    if own_name and library in _LIBRARIES:
        return _LIBRARIES[library](own_name)
    if name not in _NETWORKS:
        raise unknown_name("network", name, available_names(), "dfbench list networks")
    return _NETWORKS[name].load()


def new_backbone(name: str, image_size: int) -> Backbone:
    """A newly initialised backbone; weights come from torch's global generator.

    `image_size` (pixels) decides the stem of networks that adapt to it. Raises the errors of
    `builder`, and `InvalidInput` for a network that cannot take such images.
    """
    backbone = builder(name)(image_size)
    backbone.made_as = (name, image_size)
    return backbone
