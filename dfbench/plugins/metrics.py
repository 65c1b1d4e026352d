"""Metrics of plugins: found by name, and passed to the processes that compute them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from dfbench.errors import PluginFault
from dfbench.hookspecs import MetricSpec
from dfbench.plugins.code import IMPORT_SECONDS, describe_fault, load_target, plugin_code
from dfbench.plugins.host import PluginHost
from dfbench.plugins.probe import PluginSource
from dfbench.plugins.sources import PluginSources

if TYPE_CHECKING:
    from dfbench.evaluation.definitions import Metric


class MetricOffer(BaseModel):
    """A plugin's metric, with the numbers in its name, as plain data."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    """The name as it was asked for, e.g. `ndcg@10`."""
    parameters: dict[str, int]
    content: dict[str, Any]
    """The fields of its `dfbench.MetricSpec`."""
    plugin: str
    plugin_version: str
    origin: str
    """The file or module of the plugin."""
    file: Path | None
    """The plugin file to import first, if the plugin is a file."""

    @property
    def spec(self) -> MetricSpec:
        """Its definition."""
        return MetricSpec(**self.content)

    def __str__(self) -> str:
        return f"metric {self.name!r} of plugin {self.plugin!r} {self.plugin_version}".removesuffix(
            " -"
        )

    def load(self) -> Callable[..., Any]:
        """Import its function. Raises `PluginFault` if that fails."""
        try:
            with plugin_code(IMPORT_SECONDS):
                PluginSource(self.plugin, self.origin, self.file).load()
                found: Callable[..., Any] = load_target(self.spec.target)
        except Exception as fault:  # a plugin may raise anything
            raise PluginFault(f"{self} cannot be loaded: {describe_fault(fault)}") from fault
        return found


class ChosenMetrics(NamedTuple):
    """Metrics by name, built-in ones and those of plugins."""

    metrics: tuple[Metric, ...]
    """In the order of the names; those of plugins have no `compute`."""
    offers: dict[str, MetricOffer]
    """Those of plugins, by name."""


def choose_metrics(names: Iterable[str], sources: PluginSources) -> ChosenMetrics:
    """The metrics of these names; plugins are looked for only if a name is not built in.

    Raises `UnknownName`, `InvalidInput` for a number below 1 in a name, and `PluginFault` if a
    plugin file that the user named is broken.
    """
    from dfbench.evaluation.definitions import is_built_in, metric

    names = tuple(dict.fromkeys(names))
    host = None if all(map(is_built_in, names)) else PluginHost.of(sources)
    if host is not None:
        host.require(sources.files)
    offers: dict[str, MetricOffer] = {}
    metrics = []
    for name in names:
        if host is None or is_built_in(name):
            metrics.append(metric(name))
        else:
            offers[name], found = _of_plugin(name, host)
            metrics.append(found)
    return ChosenMetrics(tuple(metrics), offers)


def _of_plugin(name: str, host: PluginHost) -> tuple[MetricOffer, Metric]:
    from dfbench.evaluation.definitions import select_metric

    named = select_metric(name, [offer.spec for offer in host.metrics.values()])
    if named is None:
        raise host.unknown("metrics", name, host.metrics)
    plugin = host.metrics[named.spec.name].plugin
    offer = MetricOffer(
        name=name,
        parameters=dict(named.parameters),
        content=asdict(named.spec),
        plugin=plugin.name,
        plugin_version=plugin.version,
        origin=plugin.origin,
        file=plugin.file,
    )
    return offer, named.defined(None, named.spec.version)
