"""`dfbench list`: methods, datasets and plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources


@click.group("list")
def list_group() -> None:
    """List methods, datasets or plugins."""


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
    notes = ("variants, settings and needs of one: dfbench describe NAME", *_broken(host))
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
    _show("datasets", ("name", "title", "plugin"), rows, _broken(host), form)


@list_group.command()
@plugin_options
@format_option("text", "markdown", "json")
def plugins(*, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str) -> None:
    """List the plugins that were found, broken ones with their error."""
    host = _host(plugin_files, plugins_dir)
    rows = [
        {
            "name": plugin.name,
            "version": plugin.version,
            "origin": plugin.origin,
            "status": plugin.error or "works",
        }
        for plugin in host.plugins
    ]
    _show("plugins", ("name", "version", "origin", "status"), rows, (), form)


def _host(files: tuple[Path, ...], folder: Path | None) -> Any:
    from dfbench.plugins import PluginHost

    sources = plugin_sources(files, folder)
    return PluginHost(sources.files, sources.folder)


def _broken(host: Any) -> tuple[str, ...]:
    return tuple(
        f"plugin {plugin.name!r} does not work: {plugin.error}"
        for plugin in host.plugins
        if plugin.error
    )


def _show(
    title: str,
    header: tuple[str, ...],
    rows: list[dict[str, str]],
    notes: tuple[str, ...],
    form: str,
) -> None:
    from dfbench.reporting.layout import Layout, print_layouts

    texts = tuple(tuple(row[name] for name in header) for row in rows)
    print_layouts([Layout(title, header, texts, notes, {title: rows}, len(header))], form)
