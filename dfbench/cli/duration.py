"""Durations on the command line."""

from __future__ import annotations

import re
from typing import Any

import rich_click as click

from dfbench.bounds import LONGEST

_FORM = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """Seconds, from a number of seconds, minutes or hours: `90`, `90s`, `30m`, `1.5h`."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; a default that is a number already stays."""
        if isinstance(value, float):
            return value
        match = _FORM.fullmatch(str(value).strip())
        seconds = float(match["number"]) * _SECONDS[match["unit"]] if match else 0.0
        if not 0 < seconds <= LONGEST:
            allowed = f"more than 0 and up to {LONGEST:g} seconds, e.g. 90, 30m or 2h"
            self.fail(f"{value!r}; allowed: {allowed}", param, ctx)
        return seconds
