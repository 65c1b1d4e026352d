"""Lines of the keys of a TOML document, which the standard library's parser does not give."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Keys and array indices, e.g. `("datasets", 1, "image_size")`."""

_NAME = re.compile(r"""[\w-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_KEY = rf"(?:{_NAME.pattern})(?:[ \t]*\.[ \t]*(?:{_NAME.pattern}))*"
_VALUES = rf"""(?P<key>{_KEY}(?=[ \t]*=))|(?P<comma>,)|(?P<close>[\]}}])
    |(?P<blank>[ \t\r=]+|\n|\#[^\n]*)
    |(?P<value>\"{{3}}(?:\\.|[^\\])*?\"{{3,5}}|'{{3}}.*?'{{3,5}}|{_NAME.pattern}
        |[\[{{]|[^\s\[\]{{}},\#]+)"""
_INSIDE = re.compile(_VALUES, re.VERBOSE | re.DOTALL)
_OUTSIDE = re.compile(
    rf"(?P<header>(?m:^)[ \t]*\[\[?[ \t]*{_KEY}[ \t]*\]\]?)|{_VALUES}", re.VERBOSE | re.DOTALL
)
"""Outside arrays and inline tables, where a line that begins with a bracket heads a table."""


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of each key and each array item of valid TOML."""
    scan, at = _Scan(), 0
    while match := (_INSIDE if scan.open else _OUTSIDE).match(text, at):
        if match.lastgroup != "blank":
            scan.take(match.lastgroup, match.group(), text.count("\n", 0, at) + 1)
        at = match.end()
    return scan.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of a path, or of its nearest parent that has one; 1 for the document."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scan:
    """What is known of a document up to a token."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.open: list[tuple[KeyPath, int | None]] = []
        """Arrays and inline tables that are not closed yet; of an array, its current place."""
        self._tables: dict[KeyPath, int] = {}
        """The place of the last table of each array of tables."""
        self._table: KeyPath = ()
        self._path: KeyPath = ()
        """What the next value is of."""

    def take(self, kind: str | None, found: str, line: int) -> None:
        """Go on by one token, which begins on a line."""
        if kind == "header":
            self._head(_names(found), line, repeated=found.lstrip().startswith("[["))
        elif kind == "key":
            self._path = self.open[-1][0] if self.open else self._table
            for name in _names(found):
                self._path = (*self._path, name)
                self.lines.setdefault(self._path, line)
        elif kind == "close":
            self.open.pop()
        elif kind == "comma":
            path, place = self.open.pop()
            self.open.append((path, None if place is None else place + 1))
        else:
            self._begin(found, line)

    def _begin(self, found: str, line: int) -> None:
        path, place = self.open[-1] if self.open else ((), None)
        if place is not None:
            self._path = (*path, place)
            self.lines.setdefault(self._path, line)
        if found in ("[", "{"):
            self.open.append((self._path, 0 if found == "[" else None))

    def _head(self, names: list[str], line: int, *, repeated: bool) -> None:
        path: KeyPath = ()
        for name in names[:-1]:
            path = self._last((*path, name))
        path = (*path, names[-1])
        if repeated:
            self._tables[path] = self._tables.get(path, -1) + 1
            self.lines.setdefault(path, line)
        self._table = self._last(path)
        self.lines.setdefault(self._table, line)

    def _last(self, path: KeyPath) -> KeyPath:
        """The table that a header's key means: the last one of an array of tables."""
        return (*path, self._tables[path]) if path in self._tables else path


def _names(key: str) -> list[str]:
    """The parts of a dotted key, as the parser reads them."""
    names = (match.group() for match in _NAME.finditer(key))
    return [next(iter(tomllib.loads(f"{name} = 0"))) for name in names]
