"""Scenarios: which classes the teachers know, and which are queried."""

from __future__ import annotations

from dfbench.errors import unknown_name

CLOSED = "closed"
"""All classes are known to both teachers, and queried."""
_SCENARIOS = (CLOSED,)


def parse_scenario(text: str) -> str:
    """A scenario in its canonical form. Raises `UnknownName`."""
    if text not in _SCENARIOS:
        raise unknown_name("scenario", text, _SCENARIOS, "dfbench suite --help")
    return text
