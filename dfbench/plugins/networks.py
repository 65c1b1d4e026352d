"""Networks of plugins: found by name, passed to other processes, checked when they are built."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from dfbench.errors import PluginFault
from dfbench.hookspecs import NetworkSpec
from dfbench.plugins.code import IMPORT_SECONDS, describe_fault, load_target, plugin_code
from dfbench.plugins.host import Offer, PluginHost
from dfbench.plugins.probe import PluginSource
from dfbench.plugins.sources import PluginSources

if TYPE_CHECKING:
    from dfbench.networks.backbones.backbone import Backbone
    from dfbench.networks.backbones.registry import Builder


class NetworkOffer(BaseModel):
    """A plugin's network as plain data; a process that is to build it registers it first."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    title: str
    target: str
    version: int
    enlarged_to: int
    plugin: str
    plugin_version: str
    origin: str
    """The file or module of the plugin."""
    file: Path | None
    """The plugin file to import first, if the plugin is a file."""

    @classmethod
    def of(cls, offer: Offer[NetworkSpec]) -> NetworkOffer:
        """The offer as plain data."""
        spec, plugin = offer.spec, offer.plugin
        return cls(
            name=spec.name,
            title=spec.title,
            target=spec.target,
            version=spec.version,
            enlarged_to=spec.enlarged_to,
            plugin=plugin.name,
            plugin_version=plugin.version,
            origin=plugin.origin,
            file=plugin.file,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """Its part of the identities of networks and fits."""
        return {"plugin": self.plugin, "version": self.version}

    def __str__(self) -> str:
        return (
            f"network {self.name!r} of plugin {self.plugin!r} {self.plugin_version}".removesuffix(
                " -"
            )
        )

    def register(self) -> None:
        """Make `dfbench.networks.new_backbone` know it in this process; nothing is imported yet."""
        from dfbench.networks.backbones.registry import register

        register(
            NetworkSpec(self.name, self.title, self.target, self.version, self.enlarged_to),
            self._builder,
        )

    def _builder(self) -> Builder:
        try:
            with plugin_code(IMPORT_SECONDS):
                PluginSource(self.plugin, self.origin, self.file).load()
                target = load_target(self.target)
        except Exception as fault:  # a plugin may raise anything
            raise PluginFault(f"{self} cannot be loaded: {describe_fault(fault)}") from fault

        def build(image_size: int) -> Backbone:
            try:
                with plugin_code():
                    return _sound(target(image_size), image_size)
            except Exception as fault:  # a plugin may raise anything
                raise PluginFault(
                    f"{self} cannot be built for images of {image_size} px: {describe_fault(fault)}"
                ) from fault

        return build


def plugin_networks(host: PluginHost, names: Iterable[str]) -> tuple[NetworkOffer, ...]:
    """The networks of these names that plugins offer, without dfbench's own and unknown ones."""
    plain = sorted({name.partition("@")[0] for name in names})
    found = (host.networks[name] for name in plain if name in host.networks)
    return tuple(NetworkOffer.of(offer) for offer in found if not offer.plugin.own)


def register_networks(names: Iterable[str], sources: PluginSources) -> None:
    """Register the plugins' networks of these names in this process.

    Plugins are looked for only if a name is not known yet. Raises `PluginFault` if a plugin file
    that the user named is broken, and `UnknownName` for an unknown name.
    """
    from dfbench.networks.backbones.registry import available_names, is_known

    missing = [name for name in names if not is_known(name)]
    if not missing:
        return
    host = PluginHost.of(sources)
    host.require(sources.files)
    for offer in plugin_networks(host, missing):
        offer.register()
    for name in missing:
        if not is_known(name):
            raise host.unknown("networks", name, available_names())


def _sound(network: object, image_size: int) -> Backbone:
    """The network, if it gives the features that it promises for two empty images."""
    import torch

    from dfbench.networks.backbones.backbone import Backbone

    if not isinstance(network, Backbone):
        raise PluginFault(
            f"its target returns {type(network).__name__}; allowed: a dfbench.networks.Backbone"
        )
    width: object = getattr(network, "feature_dim", None)
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise PluginFault(f"its feature_dim is {width!r}; allowed: the width D of its features")
    training = network.training
    with torch.no_grad():
        images = torch.zeros(2, 3, image_size, image_size)
        network.eval()
        features, stages = network(images), network.stage_features(images)
    network.train(training)
    shape = [2, width]
    for what, found in (("features", features), ("last stage", stages[-1] if stages else None)):
        if not isinstance(found, torch.Tensor) or list(found.shape) != shape:
            told = list(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise PluginFault(f"its {what} have shape {told} for two images; allowed: {shape}")
        if not bool(found.isfinite().all()):
            raise PluginFault(f"its {what} are not finite for empty images")
    return network
