"""Class names compared as people mean them: spelling, spacing and synonyms aside."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any


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
    """Those of `names` that mean the same as one of `against`, a kind of it, or it a kind of them.

    >>> sorted(colliding(["owl", "bird", "parrot"], ["Owl"]))
    ['bird', 'owl']
    """
    taken = {meaning(name) for name in against}
    broader = {_kinds()[name] for name in taken & _kinds().keys()}
    return frozenset(
        name
        for name in names
        if (plain := meaning(name)) in taken | broader or _kinds().get(plain) in taken
    )


@cache
def _table() -> dict[str, Any]:
    text = files("dfbench.datasets").joinpath("synonyms.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _synonyms() -> dict[str, str]:
    return {name: row[0] for row in _table()["same"] for name in row}


@cache
def _kinds() -> dict[str, str]:
    """What each thing is a kind of."""
    return {
        meaning(kind): meaning(thing) for thing, row in _table()["kinds"].items() for kind in row
    }
