"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.cli.parameters import AbsolutePath, Choice, Names
from dfbench.defaults import chosen_plugins, user_cache
from dfbench.errors import LARGEST_IMAGE
from dfbench.plugins.sources import PluginSources
from dfbench.system.console import note

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


def class_options(command: Command) -> Command:
    """Add `--classes` and `--alternative-classes`."""
    benchmark = click.option(
        "--classes",
        type=Names(),
        help="Benchmark classes, separated by commas (a name with a comma in double quotes), or "
        "all.",
    )
    spare = click.option(
        "--alternative-classes",
        type=Names(),
        help="Spare classes of the dataset, separated by commas (likewise).",
    )
    return benchmark(spare(command))


alternative_option = click.option(
    "--alternative", metavar="D", help="Dataset that provides alternative classes."
)
"""`--alternative`."""
image_size_option = click.option(
    "--image-size", type=click.IntRange(16, LARGEST_IMAGE), metavar="PX", help="Height and width."
)
"""`--image-size`, any."""
skip_unreadable_option = click.option(
    "--skip-unreadable", is_flag=True, help="Leave out images that cannot be decoded."
)
"""`--skip-unreadable`."""


_NAMED = 10

named_run_option = click.option(
    "--run",
    "named",
    required=True,
    metavar="ID",
    help="The beginning of a run's identity (four digits or more, as in the names of its record "
    "and its folder), the folder of a run, or that of an export.",
)
"""`--run`, a finished run or an export."""
gallery_option = click.option(
    "--gallery",
    type=AbsolutePath(),
    required=True,
    metavar="FOLDER",
    help="Your photos: all images in the folder and in folders below it.",
)
"""`--gallery`, a person's own photos."""
device_option = click.option(
    "--device",
    type=Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where photos and sketches are embedded.",
)
"""`--device` of the encoders."""


def note_left_out(left_out: Mapping[Path, str]) -> None:
    """Say which files of a gallery could not be read."""
    for file, reason in list(left_out.items())[:_NAMED]:
        note(f"left out: {str(file)!r} ({reason})")
    more = len(left_out) - _NAMED
    if left_out:
        further = f", {more} of them not named here" if more > 0 else ""
        note(f"{len(left_out)} unreadable files left out{further}")


def data_root_option(command: Command) -> Command:
    """Add `--data-root`, the folder of published datasets."""
    option = click.option(
        "--data-root",
        type=AbsolutePath(),
        envvar="DFBENCH_DATA",
        show_envvar=True,
        metavar="PATH",
        help="Folder in which published datasets lie, in any of the usual layouts; default: "
        'data-root = "PATH" in dfbench/config.toml of the user\'s configuration folder.',
    )
    return option(command)


def dataset_option(command: Command) -> Command:
    """Add `--dataset`."""
    option = click.option("--dataset", metavar="D", help="Only this dataset, as tables name it.")
    return option(command)


def scenario_option(command: Command) -> Command:
    """Add `--scenario`."""
    option = click.option("--scenario", metavar="S", help="Only this scenario, e.g. closed.")
    return option(command)
