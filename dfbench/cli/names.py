"""Lists of names on the command line."""

from __future__ import annotations

from typing import Any

import rich_click as click

from dfbench.datasets.names import listed_names


class Names(click.ParamType[tuple[str, ...]]):
    """Names separated by commas: `cat,dog`, with quotes where needed (see `listed_names`)."""

    name = "text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, without blanks around them."""
        del param, ctx
        return listed_names(str(value))
