"""Options that say which images of a dataset are meant, for all verbs that open one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rich_click as click

from dfbench.bounds import LARGEST_IMAGE
from dfbench.cli.names import Names

Command = Callable[..., Any]


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
