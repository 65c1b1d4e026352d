"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.cli.completers import complete_dataset, complete_method, complete_run
from dfbench.cli.parameters import AbsolutePath, Choice
from dfbench.defaults import chosen_plugins
from dfbench.plugins.sources import PluginSources
from dfbench.system.console import note

Command = Callable[..., Any]
_FILE = AbsolutePath(dir_okay=False)
_FOLDER = AbsolutePath(file_okay=False)


def plugin_options(command: Command) -> Command:
    """Add `--plugin` and `--plugins-dir`."""
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


_NAMED = 10

named_run_option = click.option(
    "--run",
    "named",
    required=True,
    shell_complete=complete_run,
    metavar="ID",
    help="The beginning of a run's identity (at least four digits, as in the names of its record "
    "and folder), the folder of a run, or the folder of an export.",
)
"""`--run`, a finished run or an export."""
representation_option = click.option(
    "--representation",
    default="",
    metavar="NAME",
    help="Another representation of the run instead of its main one, e.g. posterior.",
)
"""`--representation` of the named run."""
gallery_option = click.option(
    "--gallery",
    type=AbsolutePath(),
    required=True,
    metavar="FOLDER",
    help="Your photos: all images in the folder and its subfolders.",
)
"""`--gallery`, the user's own photos."""
approximate_option = click.option(
    "--approximate",
    is_flag=True,
    help="Search a gallery of 10,000 photos or more with an approximate index, kept in the "
    "cache: faster, but may miss a few of the nearest photos. Needs the extra ann.",
)
"""`--approximate`, search by an index."""
device_option = click.option(
    "--device",
    type=Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device on which photos and sketches are embedded.",
)
"""`--device` of the encoders."""


def note_left_out(left_out: Mapping[Path, str]) -> None:
    """Report the files of a gallery that could not be read."""
    for file, reason in list(left_out.items())[:_NAMED]:
        note(f"left out: {str(file)!r} ({reason})")
    more = len(left_out) - _NAMED
    if left_out:
        further = f", {more} of them not listed" if more > 0 else ""
        note(f"{len(left_out)} unreadable files left out{further}")


def methods_option(command: Command) -> Command:
    """Add `--method`, as `methods`."""
    option = click.option(
        "--method",
        "methods",
        shell_complete=complete_method,
        multiple=True,
        metavar="M",
        help="Only this method: NAME[VARIANT], NAME for all its variants, or its name in "
        "tables; may be repeated.",
    )
    return option(command)


def dataset_option(command: Command) -> Command:
    """Add `--dataset`."""
    option = click.option(
        "--dataset",
        metavar="D",
        shell_complete=complete_dataset,
        help="Only this dataset, as named in tables.",
    )
    return option(command)


def scenario_option(command: Command) -> Command:
    """Add `--scenario`."""
    option = click.option("--scenario", metavar="S", help="Only this scenario, e.g. closed.")
    return option(command)
