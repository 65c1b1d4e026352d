"""`--only` and `--except`: a part of a suite by patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dfbench.errors import unknown_name
from dfbench.suites.grid import Cell


def select(cells: Sequence[Cell], only: Sequence[str], without: Sequence[str]) -> list[Cell]:
    """The cells that the patterns of `only` leave, less those of `without`.

    A pattern (`*` stands for any text, `?` for a character) is held against rows, datasets,
    scenarios and `seed=N`. Patterns of `only` for the same axis are alternatives; a cell has to
    be chosen on every axis that has patterns. Raises `UnknownName` for one that matches nothing.
    """
    wanted: dict[str, set[str]] = {}
    for pattern in only:
        axis, names = _matched(pattern, cells, "--only")
        wanted.setdefault(axis, set()).update(names)
    unwanted: dict[str, set[str]] = {}
    for pattern in without:
        axis, names = _matched(pattern, cells, "--except")
        unwanted.setdefault(axis, set()).update(names)
    return [
        cell
        for cell in cells
        if all(cell.names[axis] in names for axis, names in wanted.items())
        and not any(cell.names[axis] in names for axis, names in unwanted.items())
    ]


def _matched(pattern: str, cells: Iterable[Cell], option: str) -> tuple[str, set[str]]:
    """The first axis on which a pattern matches, and what it matches there."""
    text = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    names: dict[str, set[str]] = {}
    for cell in cells:
        for axis, name in cell.names.items():
            names.setdefault(axis, set()).add(name)
    for axis, found in names.items():
        matching = {name for name in found if re.fullmatch(text, name)}
        if matching:
            return axis, matching
    every = {name for found in names.values() for name in found}
    raise unknown_name(f"{option} pattern", pattern, every, "dfbench suite plan FILE")
