"""Packaged class lists: which classes of a known folder are benchmark, which alternative."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class ClassList:
    """The division of one known set of class folders; a file in `class_lists/`."""

    name: str
    """The stem of its file."""
    source: str
    """Where the division comes from."""
    folder: frozenset[str]
    """All class folders, spelt exactly: what a folder is recognised by."""
    benchmark: tuple[str, ...]
    """Sorted; part of `folder`."""
    alternative: tuple[str, ...]
    """Sorted; part of `folder`, disjoint from `benchmark`."""


@cache
def packaged_lists() -> tuple[ClassList, ...]:
    """All class lists that come with dfbench, by name."""
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in files("dfbench.datasets").joinpath("class_lists").iterdir()
        if entry.name.endswith(".toml")
    }
    return tuple(_parsed(texts[name]) for name in sorted(texts))


def matching(classes: Iterable[str]) -> ClassList | None:
    """The list whose folders are exactly these classes, or None."""
    found = frozenset(classes)
    return next((known for known in packaged_lists() if known.folder == found), None)


def _parsed(text: str) -> ClassList:
    table = tomllib.loads(text)
    return ClassList(
        table["name"],
        table["source"],
        frozenset(table["folder"]),
        tuple(sorted(table["benchmark"])),
        tuple(sorted(table["alternative"])),
    )
