"""Options that take one of a few words."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import rich_click as click


class Choice(click.Choice[str]):
    """One of a few words; a misspelt one is told which is meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word. Raises `click.BadParameter` with the allowed ones and the nearest."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as fault:
            close = get_close_matches(str(value), self.choices, n=1, cutoff=0.5)
            if not close:
                raise
            message = f"{fault.message} Did you mean {close[0]!r}?"
            raise click.BadParameter(message, ctx=ctx, param=param) from fault
