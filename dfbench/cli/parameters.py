"""Parameter types of the command line: words, numbers, paths."""

from __future__ import annotations

import math
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.errors import InvalidConfig
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


def key_values(option: str, pairs: tuple[str, ...], example: str) -> dict[str, str]:
    """Keys with their values. Raises `InvalidConfig` for a pair without a key or `=`."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidConfig(f"{option} {pair!r}; allowed: {option} {example}")
        values[key.strip()] = value.strip()
    return values
