"""Class names compared as people mean them: spelling, spacing and synonyms aside."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files


def normalised(name: str) -> str:
    """A name in lower case, with hyphens, underscores and runs of spaces as one space.

    >>> normalised("Alarm_Clock")
    'alarm clock'
    """
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())


def meaning(name: str) -> str:
    """The same string for all names of one thing, by the packaged `synonyms.toml`.

    >>> meaning("Sofa") == meaning("couch")
    True
    """
    plain = normalised(name)
    return _synonyms().get(plain, plain)


def colliding(names: Iterable[str], against: Iterable[str]) -> frozenset[str]:
    """Those of `names` that mean the same as one of `against`."""
    taken = {meaning(name) for name in against}
    return frozenset(name for name in names if meaning(name) in taken)


@cache
def _synonyms() -> dict[str, str]:
    text = files("dfbench.datasets").joinpath("synonyms.toml").read_text(encoding="utf-8")
    return {name: row[0] for row in tomllib.loads(text)["same"] for name in row}
