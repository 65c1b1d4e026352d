"""`dfbench describe`: one method's variants, settings and needs."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources


@click.command()
@click.argument("method")
@plugin_options
@format_option("text", "markdown", "json")
def describe(
    *, method: str, plugin_files: tuple[Path, ...], plugins_dir: Path | None, form: str
) -> None:
    """Show a method's settings (for --set), variants and needs."""
    from dfbench.plugins.host import PluginHost
    from dfbench.reporting.tables.description import describe_method
    from dfbench.reporting.tables.printing import print_layouts

    sources = plugin_sources(plugin_files, plugins_dir)
    host = PluginHost.of(sources)
    host.require(sources.files)
    print_layouts(describe_method(host, method), form)
