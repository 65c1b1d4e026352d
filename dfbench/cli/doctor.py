"""`dfbench doctor`: what is installed and found, for a look before a run or a bug report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.request_options import (
    cache_option,
    data_root_option,
    results_option,
    runs_option,
)
from dfbench.system.console import print_json

if TYPE_CHECKING:
    from dfbench.reporting.installation import Installation, PlaceUse
    from dfbench.reporting.tables.layout import Layout

SCHEMA_VERSION = 1
"""Version of the JSON document; incremented when a key is renamed, removed or changes meaning."""


@click.command()
@results_option
@runs_option
@cache_option
@data_root_option
@plugin_options
@format_option("text", "markdown", "json")
def doctor(
    *,
    results: Path,
    runs: Path,
    cache: Path,
    data_root: Path | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
) -> None:
    """Show versions, devices, folders, datasets and plugins, and what is wrong with them.

    Paste the output of --format markdown into a bug report; it contains paths of this machine. The
    exit status is 0 whatever is found.
    """
    from dfbench.reporting.installation import examine
    from dfbench.reporting.tables.printing import print_layouts

    found = examine(
        lambda: plugin_sources(plugin_files, plugins_dir),
        results=results,
        runs=runs,
        cache=cache,
        data_root=data_root,
    )
    if form == "json":
        print_json({"schema_version": SCHEMA_VERSION, **found.content()})
    else:
        print_layouts(_layouts(found), form)


def _layouts(found: Installation) -> list[Layout]:
    extras = {name: number or "not installed" for name, number in found.extras.items()}
    plugins = [(p.name, p.distribution, p.version, p.state) for p in found.plugins]
    problems = [(problem,) for problem in found.problems] or [("none found",)]
    return [
        _pairs("versions", "package", found.versions | extras),
        _pairs("machine", "part", found.machine),
        _table("places", ("name", "size", "files", "path"), map(_place, found.places)),
        _pairs("datasets", "name", found.datasets),
        _table("plugins", ("name", "distribution", "version", "state"), plugins),
        *([_pairs("variables", "name", found.variables)] if found.variables else []),
        _table("problems", ("problem",), problems),
    ]


def _place(one: PlaceUse) -> tuple[str, ...]:
    from dfbench.system.machine import size_text

    size, files = "", ""
    if one.use is not None:
        size, files = size_text(one.use.size), str(one.use.files)
    path = "not set" if one.path is None else str(one.path)
    return one.name, size, files, f"{path} ({one.note})" if one.note else path


def _pairs(title: str, kind: str, values: Mapping[str, str]) -> Layout:
    return _table(title, (kind, ""), values.items())


def _table(title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Layout:
    from dfbench.reporting.tables.layout import Layout

    return Layout(title, header, tuple(rows), (), {}, len(header))
