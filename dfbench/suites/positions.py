"""Lines of the keys of a TOML document; the standard library's parser does not tell them."""

from __future__ import annotations

import re
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Keys and places in arrays, e.g. `("datasets", 1, "image_size")`."""

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\#[^\n]*)
    |(?P<newline>\n)
    |(?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    |(?P<mark>[\[\]{},=.])
    |(?P<bare>[^\s\[\]{},=."'\#]+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)")


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, on which each key and each item of an array of valid TOML begins."""
    return _Scanner(text).lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of a path, or of the closest thing around it that has one; 1 for the document."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    """One pass over the tokens of a valid document."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._tokens: list[tuple[str, str, int]] = []
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "blank":
                self._tokens.append((match.lastgroup or "", match.group(), line))
            line += match.group().count("\n")
        self._tokens.append(("end", "", line))
        self._next = 0
        self._arrays: dict[KeyPath, int] = {}
        self._table: KeyPath = ()
        while self._kind != "end":
            self._statement()

    @property
    def _kind(self) -> str:
        return self._tokens[self._next][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._next][1]

    def _statement(self) -> None:
        if self._kind == "newline":
            self._next += 1
        elif self._text == "[":
            self._header()
        else:
            self._pair(self._table)

    def _header(self) -> None:
        line = self._tokens[self._next][2]
        self._next += 1
        repeated = self._text == "["
        self._next += repeated
        *parents, name = self._key()
        self._next += 1 + repeated
        path: KeyPath = ()
        for part in parents:
            path = self._within((*path, part))
        path = (*path, name)
        if repeated:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            self.lines.setdefault(path, line)
        self._table = self._within(path)
        self.lines.setdefault(self._table, line)

    def _within(self, path: KeyPath) -> KeyPath:
        """The table that a header's key means: the last one of an array of tables."""
        return (*path, self._arrays[path]) if path in self._arrays else path

    def _key(self) -> list[str]:
        parts = [self._name()]
        while self._text == ".":
            self._next += 1
            parts.append(self._name())
        return parts

    def _name(self) -> str:
        kind, text, _ = self._tokens[self._next]
        self._next += 1
        if kind == "bare":
            return text
        return _ESCAPED.sub(r"\1", text[1:-1]) if text[0] == '"' else text[1:-1]

    def _pair(self, table: KeyPath) -> None:
        line = self._tokens[self._next][2]
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._next += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._text == "[":
            self._array(path)
        elif self._text == "{":
            self._inline_table(path)
        else:
            while self._kind in ("bare", "text") or self._text == ".":
                self._next += 1

    def _array(self, path: KeyPath) -> None:
        self._next += 1
        place = 0
        while self._text != "]":
            if self._kind == "newline" or self._text == ",":
                self._next += 1
                continue
            self.lines[(*path, place)] = self._tokens[self._next][2]
            self._value((*path, place))
            place += 1
        self._next += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._next += 1
        while self._text != "}":
            if self._kind == "newline" or self._text == ",":
                self._next += 1
                continue
            self._pair(path)
        self._next += 1
