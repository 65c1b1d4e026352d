"""Options of the form KEY=VALUE that may be repeated."""

from __future__ import annotations

from dfbench.errors import InvalidConfig


def key_values(option: str, pairs: tuple[str, ...], example: str) -> dict[str, str]:
    """Keys with their values. Raises `InvalidConfig` for a pair that is none."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidConfig(f"{option} {pair!r}; allowed: {option} {example}")
        values[key.strip()] = value.strip()
    return values
