"""`dfbench list`: plugins and everything they offer; `dfbench describe`: one of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.completers import complete_method
from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.defaults import chosen_cache
from dfbench.hookspecs import KINDS, MetricSpec, NetworkSpec, RerankerSpec
from dfbench.system.console import note

if TYPE_CHECKING:
    from dfbench.plugins.host import Offer, Plugin
    from dfbench.reporting.tables.layout import Layout


@click.group("list")
def list_group() -> None:
    """List plugins and what they offer."""


@list_group.command()
@plugin_options
@format_option("text", "markdown", "json")
def methods(*, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str) -> None:
    """List the methods that plugins offer."""
    host = _host(plugin_files, plugins_dir)
    rows = [
        {"name": name, "title": offer.spec.title, "plugin": offer.plugin.name}
        for name, offer in host.methods.items()
    ]
    _warn_of_broken(host)
    notes = ("variants, settings and needs of a method: dfbench describe NAME",)
    _show("methods", ("name", "title", "plugin"), rows, notes, form)


@list_group.command()
@plugin_options
@format_option("text", "markdown", "json")
def datasets(*, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str) -> None:
    """List the datasets that plugins offer."""
    host = _host(plugin_files, plugins_dir)
    rows = [
        {
            "name": f"{name}:{offer.spec.argument}" if offer.spec.argument else name,
            "title": offer.spec.title,
            "plugin": offer.plugin.name,
        }
        for name, offer in host.datasets.items()
    ]
    _warn_of_broken(host)
    _show("datasets", ("name", "title", "plugin"), rows, (), form)


@list_group.command()
@plugin_options
@format_option("text", "markdown", "json")
def networks(*, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str) -> None:
    """List the networks of teachers and encoders that plugins offer."""
    host = _host(plugin_files, plugins_dir)
    rows = [
        {"name": name, "title": offer.spec.title, "plugin": offer.plugin.name}
        for name, offer in host.networks.items()
    ]
    _warn_of_broken(host)
    notes = (
        "use one: --set teachers.network=NAME; also torchvision:NAME and timm:NAME, and "
        "NAME@128 for images resized to 128 px",
    )
    _show("networks", ("name", "title", "plugin"), rows, notes, form)


@list_group.command()
@plugin_options
@format_option("text", "markdown", "json")
def metrics(*, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str) -> None:
    """List the metrics that plugins offer, with their definitions."""
    host = _host(plugin_files, plugins_dir)
    rows = [
        {
            "name": name,
            "formula": offer.spec.formula,
            "ties": offer.spec.ties,
            "version": str(offer.spec.version),
            "used by": offer.spec.used_by,
            "plugin": offer.plugin.name,
        }
        for name, offer in host.metrics.items()
    ]
    _warn_of_broken(host)
    notes = (
        "replace {k} by a number, e.g. prec@50 for prec@{k}; to add a metric to finished runs: "
        "dfbench rescore --metric NAME",
    )
    _show("metrics", ("name", "formula", "ties", "plugin"), rows, notes, form)


@list_group.command()
@plugin_options
@format_option("text", "markdown", "json")
def rerankers(*, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str) -> None:
    """List the re-rankers that plugins offer."""
    host = _host(plugin_files, plugins_dir)
    rows = [
        {"name": name, "title": offer.spec.title, "plugin": offer.plugin.name}
        for name, offer in host.rerankers.items()
    ]
    _warn_of_broken(host)
    notes = ("use one: dfbench run ... --rerank NAME, or dfbench evaluate ... --rerank NAME",)
    _show("rerankers", ("name", "title", "plugin"), rows, notes, form)


@list_group.command()
@click.option("-v", "--verbose", is_flag=True, help="Show the tracebacks of broken plugins.")
@plugin_options
@format_option("text", "markdown", "json")
def plugins(
    *, verbose: bool, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str
) -> None:
    """List the plugins found, with what they offer, and the errors of broken ones."""
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts

    host = _host(plugin_files, plugins_dir)
    header = ("name", "distribution", "version", "state")
    rows = tuple(tuple(str(getattr(p, name)) for name in header) for p in host.plugins)
    names = (*header, "hooks", "origin", "error", "place", "traceback")
    content = [
        {name: getattr(plugin, name) for name in names}
        | {kind: plugin.offers.get(kind, ()) for kind in KINDS}
        for plugin in host.plugins
    ]
    notes = [line for plugin in host.plugins for line in _notes(plugin, verbose=verbose)]
    if any(plugin.traceback for plugin in host.plugins) and not verbose:
        notes.append("tracebacks: dfbench list plugins -v")
    layout = Layout("plugins", header, rows, tuple(notes), {"plugins": content}, len(header))
    print_layouts([layout], form)


def _notes(plugin: Plugin, *, verbose: bool) -> Iterator[str]:
    """What a plugin offers, or its error."""
    if plugin.error:
        yield f"{plugin.name} is broken: {plugin.place or plugin.origin}: {plugin.error}"
        if verbose and plugin.traceback:
            yield plugin.traceback.rstrip()
        return
    yield f"{plugin.name} ({plugin.origin})"
    for kind, names in {"hooks": plugin.hooks, **plugin.offers}.items():
        if names:
            yield f"  {kind}: {', '.join(names)}"


def _host(files: tuple[Path, ...], folder: Path | None) -> Any:
    from dfbench.plugins.host import PluginHost

    sources = plugin_sources(files, folder)
    return PluginHost.of(sources)


def _warn_of_broken(host: Any) -> None:
    for plugin in host.plugins:
        if plugin.error:
            note(f"plugin {plugin.name!r} does not work: {plugin.error}")


def _show(
    title: str,
    header: tuple[str, ...],
    rows: list[dict[str, str]],
    notes: tuple[str, ...],
    form: str,
) -> None:
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts

    texts = tuple(tuple(row[name] for name in header) for row in rows)
    print_layouts([Layout(title, header, texts, notes, {title: rows}, len(header))], form)


@click.command()
@click.argument("method", shell_complete=complete_method)
@plugin_options
@format_option("text", "markdown", "json")
def describe(
    *, method: str, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str
) -> None:
    """Show a method's settings (for --set), variants and needs.

    METHOD can also be a metric, a network or a re-ranker: its definition is shown.
    """
    from dfbench.plugins.host import PluginHost
    from dfbench.reporting.tables.printing import print_layouts

    sources = plugin_sources(plugin_files, plugins_dir)
    host = PluginHost.of(sources)
    host.require(sources.files)
    for kind in ("metrics", "networks", "rerankers"):
        if method in host.offers[kind] and method not in host.methods:
            print_layouts([_definition(kind.removesuffix("s"), host.offers[kind][method])], form)
            return
    from dfbench.reporting.tables.description import describe_method

    print_layouts(describe_method(host, method, chosen_cache()), form)


def _definition(kind: str, offer: Offer[MetricSpec | NetworkSpec | RerankerSpec]) -> Layout:
    """The definition of a metric, network or re-ranker as its plugin registers it."""
    from dfbench.reporting.tables.layout import Layout

    spec, plugin = offer.spec, offer.plugin
    content = {**asdict(spec), "plugin": plugin.name, "plugin version": plugin.version}
    rows = tuple((name, str(value)) for name, value in content.items() if value != "")
    return Layout(f"{kind} {spec.name}", ("field", "value"), rows, (), {kind: content}, 2)
