"""Types of words, numbers, paths and pairs on the command line."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.errors import InvalidConfig, InvalidInput
from dfbench.system.files import absolute


class Choice(click.Choice[str]):
    """One of a few words; the error for a misspelt one suggests the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word. Raises `click.BadParameter` with the allowed words and the nearest one."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as fault:
            close = get_close_matches(str(value), self.choices, n=1, cutoff=0.5)
            if not close:
                raise
            message = f"{fault.message} Did you mean {close[0]!r}?"
            raise click.BadParameter(message, ctx=ctx, param=param) from fault


class FiniteRange(click.FloatRange):
    """A finite number in a range; comparisons with the bounds alone would let NaN pass."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r}; allowed: finite numbers, {self._describe_range()}", param, ctx)
        return number


class AbsolutePath(click.Path):
    """A file or folder, made absolute when the command line is parsed; `~` is the user's home.

    A plugin may later change the current folder (`os.chdir`) or `HOME`.
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
        # Path.expanduser raises for a file named ~something.
        return absolute(Path(os.path.expanduser(found)))  # noqa: PTH111


class NamedFile(AbsolutePath):
    """A file with the name of a model, `NAME=FILE`, or a file alone, whose name is then empty."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Name and path; `=` in the path of a file that exists does not separate."""
        given = os.fsdecode(value)
        name, equals, file = given.partition("=")
        if not equals or "/" in name or Path(given).exists():
            return "", super().convert(given, param, ctx)
        if not name.strip() or not file:
            self.fail(f"{given!r}; allowed: FILE or NAME=FILE", param, ctx)
        return name.strip(), super().convert(file, param, ctx)


def named_files(option: str, given: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Files by name. Raises `InvalidInput` for a repeated name, and for one of several without."""
    found: dict[str, Path] = {}
    for name, path in given:
        if not name and len(given) > 1:
            raise InvalidInput(
                f"{option} {str(path)!r} is one of {len(given)} and has no name; allowed: "
                f"{option} NAME=FILE for each model"
            )
        if name in found:
            raise InvalidInput(
                f"{option} names {name!r} twice; allowed: one file for each model; rename one"
            )
        found[name] = path
    return found


def key_values(option: str, pairs: tuple[str, ...], example: str) -> dict[str, str]:
    """Keys with their values. Raises `InvalidConfig` for a pair without a key or `=`."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidConfig(f"{option} {pair!r}; allowed: {option} {example}")
        values[key.strip()] = value.strip()
    return values
