"""Lists of names on the command line."""

from __future__ import annotations

from typing import Any

import rich_click as click


class Names(click.ParamType[tuple[str, ...]]):
    """Names separated by commas: `cat,dog`."""

    name = "text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, without blanks around them."""
        del param, ctx
        return tuple(name.strip() for name in str(value).split(",") if name.strip())
