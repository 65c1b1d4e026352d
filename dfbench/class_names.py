"""Class names, compared regardless of case, spacing and synonyms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

_FIELD = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|\Z)')
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Unicode categories of control characters, format characters and line separators."""
_JOINERS = "\u200c\u200d"
"""Format characters that the spelling of some languages needs."""


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), so that equal names are equal strings.

    >>> composed("e\u0301clair") == "\u00e9clair"
    True
    """
    return unicodedata.normalize("NFC", name)


def normalised(name: str) -> str:
    """A composed name in lower case, with hyphens, underscores and runs of spaces as one space.

    >>> normalised("Alarm_Clock")
    'alarm clock'
    """
    plain = composed(composed(name).lower())
    return " ".join(plain.replace("-", " ").replace("_", " ").split())


def name_error(name: str) -> str | None:
    """Why a text is not a valid class name; None if it is.

    >>> name_error("hot dog"), name_error("hot" + chr(10) + "dog")
    (None, 'it contains the invisible character U+000A')
    """
    if not name.strip():
        return "it is empty"
    if not encodable(name):
        return "it is not UTF-8"
    for letter in name:
        if unicodedata.category(letter) in _INVISIBLE and letter not in _JOINERS:
            return f"it contains the invisible character U+{ord(letter):04X}"
    return None


def encodable(text: str) -> bool:
    """Whether a text can be encoded as UTF-8; the name of a file that is not UTF-8 cannot.

    >>> encodable("caf\u00e9"), encodable("caf\udce9")
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def listed_names(text: str) -> tuple[str, ...]:
    """Names separated by commas, stripped of blanks; empty ones are left out.

    A name that contains a comma, or begins or ends with a blank, is written in double quotes with
    inner quotes doubled, as in CSV files.

    >>> listed_names('cat, "salt, pepper" ,dog')
    ('cat', 'salt, pepper', 'dog')
    """
    fields = (field.group(1, 2) for field in _FIELD.finditer(text))
    names = (plain if quoted is None else quoted.replace('""', '"') for quoted, plain in fields)
    return tuple(name for name in names if name)


def meaning(name: str) -> str:
    """One string for all names of a class, according to the packaged `synonyms.toml`.

    >>> meaning("Sofa") == meaning("couch")
    True
    """
    plain = normalised(name)
    return _synonyms().get(plain, plain)


def colliding(names: Iterable[str], against: Iterable[str]) -> frozenset[str]:
    """The `names` that are a synonym, a subclass or a superclass of one of `against`.

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
    import tomllib  # for comparisons of names, which most commands do not make
    from importlib.resources import files

    text = files("dfbench").joinpath("synonyms.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _synonyms() -> dict[str, str]:
    return {name: row[0] for row in _table()["same"] for name in row}


@cache
def _kinds() -> dict[str, str]:
    """The superclass of each class that has one."""
    return {
        meaning(kind): meaning(thing) for thing, row in _table()["kinds"].items() for kind in row
    }
