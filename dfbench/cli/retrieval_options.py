"""Options of the verbs that work with the encoders of a finished run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.cli.choice import Choice
from dfbench.cli.path import AbsolutePath
from dfbench.console import note

Command = Callable[..., Any]
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
