"""Amounts on the command line."""

from __future__ import annotations

import math
from typing import Any

import rich_click as click


class FiniteRange(click.FloatRange):
    """A number in a range; neither infinity nor NaN, which no comparison keeps out."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r}; allowed: finite numbers, {self._describe_range()}", param, ctx)
        return number
