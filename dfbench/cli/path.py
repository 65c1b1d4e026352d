"""Paths on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.files import absolute


class AbsolutePath(click.Path):
    """A file or folder, made absolute while the command line is read; `~` is the user's home.

    Code of a plugin may later go to another folder (`os.chdir`) or change `HOME`.
    """

    def __init__(
        self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True
    ) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """The path from the root. Raises `InvalidInput` if the current folder has been removed."""
        found = os.fsdecode(super().convert(value, param, ctx))
        # Path.expanduser raises for a file that is called ~something.
        return absolute(Path(os.path.expanduser(found)))  # noqa: PTH111
