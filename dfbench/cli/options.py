"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.cli.choice import Choice
from dfbench.cli.path import AbsolutePath
from dfbench.defaults import chosen_plugins, user_cache
from dfbench.runs.request import PluginSources

Command = Callable[..., Any]
_FILE = AbsolutePath(dir_okay=False)
_FOLDER = AbsolutePath(file_okay=False)


def plugin_options(command: Command) -> Command:
    """Add `--plugin` and the folder of plugins."""
    folder = click.option(
        "--plugins-dir",
        type=_FOLDER,
        envvar="DFBENCH_PLUGINS_DIR",
        show_envvar=True,
        help="Folder whose Python files are plugins.",
    )
    file = click.option(
        "--plugin",
        "plugin_files",
        type=_FILE,
        multiple=True,
        metavar="FILE",
        help="A Python file that is a plugin; may be repeated.",
    )
    return file(folder(command))


def plugin_sources(files: tuple[Path, ...], folder: Path | None) -> PluginSources:
    """The plugins that `plugin_options` and `DFBENCH_PLUGINS` named."""
    return chosen_plugins(files, folder)


results_option = click.option(
    "--results",
    type=_FOLDER,
    default=Path("results"),
    show_default=True,
    help="Folder of records (small JSON files, meant for git).",
)
"""`--results`, the folder of records."""
runs_option = click.option(
    "--runs",
    type=_FOLDER,
    default=Path("runs"),
    show_default=True,
    help="Folder of encoders, embeddings and pictures.",
)
"""`--runs`, the folder of heavy things."""
cache_option = click.option(
    "--cache",
    type=_FOLDER,
    default=user_cache,
    envvar="DFBENCH_CACHE",
    show_envvar=True,
    help="Folder of decoded images and trained teachers; default: the user's cache folder.",
)
"""`--cache`, the folder of what can be made again."""


def format_option(*formats: str) -> Callable[[Command], Command]:
    """Add `--format`; the first is the default."""
    return click.option(
        "--format",
        "form",
        type=Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print the result.",
    )
