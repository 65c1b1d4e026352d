"""What may be given for an option of a run, and the sentence for a wrong value."""

from __future__ import annotations

import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from dfbench.class_names import listed_names
from dfbench.errors import LONGEST, InvalidConfig
from dfbench.system.files import absolute

_LONGEST_QUOTED = 60


class OptionValues(ABC):
    """The values that an option takes."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What is allowed, as a message says it."""

    @abstractmethod
    def find(self, given: object) -> object:
        """The value that was meant; None if it is not allowed."""

    def parse(self, text: str) -> object:
        """What a text on the command line means, before it is checked."""
        return text

    def take(self, given: object) -> object:
        """The value that was meant. Raises `ValueError` with the sentence for a wrong one."""
        found = self.find(given)
        if found is None:
            raise ValueError(self.refusal(given))
        return found

    def refusal(self, given: object) -> str:
        """The sentence for a value that is not allowed."""
        return f"{_quoted(given)}; allowed: {self.allowed}"


def _quoted(given: object) -> str:
    text = repr(given)
    return text if len(text) <= _LONGEST_QUOTED else f"{text[: _LONGEST_QUOTED - 3]}..."


def _number(text: str) -> object:
    """The number that a text is; the text if it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _real(given: object) -> Any:
    """The number that was given; None for what is none, NaN included."""
    real = isinstance(given, Real) and not isinstance(given, bool)
    return given if real and given == given else None


@dataclass(frozen=True)
class Whole(OptionValues):
    """Integers from `low` to `high`; those of NumPy too."""

    low: int
    high: int

    @property
    def allowed(self) -> str:
        """The bounds."""
        return f"an integer from {self.low} to {self.high}"

    def find(self, given: object) -> object:
        """The integer."""
        if not isinstance(given, Integral) or isinstance(given, bool):
            return None
        return int(given) if self.low <= int(given) <= self.high else None

    def parse(self, text: str) -> object:
        """The number, if it is one."""
        return _number(text)


@dataclass(frozen=True)
class Amount(OptionValues):
    """Finite numbers more than 0, or with `zero` from 0 on."""

    zero: bool = False

    @property
    def allowed(self) -> str:
        """The bound."""
        return f"a finite number {'of 0 or more' if self.zero else 'more than 0'}"

    def find(self, given: object) -> object:
        """The number."""
        number = _real(given)
        if number is None or not 0 <= number <= sys.float_info.max:
            return None
        return float(number) if number > 0 or self.zero else None

    def parse(self, text: str) -> object:
        """The number, if it is one."""
        return _number(text)


_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(OptionValues):
    """Seconds, as a number or a text: `90`, `90s`, `30m`, `1.5h`."""

    allowed = f"more than 0 and up to {LONGEST:g} seconds, e.g. 90, 30m or 2h"

    def find(self, given: object) -> object:
        """Seconds."""
        match = _DURATION.fullmatch(given.strip()) if isinstance(given, str) else None
        number = float(match["number"]) * _SECONDS[match["unit"]] if match else _real(given)
        return float(number) if number is not None and 0 < number <= LONGEST else None

    def parse(self, text: str) -> object:
        """The number, if it is one without a unit."""
        return _number(text)


@dataclass(frozen=True)
class Word(OptionValues):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The words."""
        return ", ".join(self.words)

    def find(self, given: object) -> object:
        """The word."""
        return given if isinstance(given, str) and given in self.words else None

    def refusal(self, given: object) -> str:
        """The sentence, with the word that is nearest."""
        close = get_close_matches(str(given), self.words, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ";"
        return f"{_quoted(given)}{hint} allowed: {self.allowed}"


class Switch(OptionValues):
    """True or false."""

    allowed = "true or false"

    def find(self, given: object) -> object:
        """The truth value."""
        return given if isinstance(given, bool) else None


class Text(OptionValues):
    """Texts that are not empty; paths too."""

    allowed = "a text that is not empty"

    def find(self, given: object) -> object:
        """The text."""
        text = os.fspath(given) if isinstance(given, os.PathLike) else given
        return text if isinstance(text, str) and text.strip() else None


class Label(OptionValues):
    """The label of a method; empty where a request is for teachers only."""

    allowed = "NAME or NAME[VARIANT]"

    def find(self, given: object) -> object:
        """The label; whether there is such a method is checked when the request is planned."""
        return given if isinstance(given, str) else None


class Names(OptionValues):
    """Names, one after the other or in one text, separated by commas."""

    allowed = "names, e.g. cat,dog (a name with a comma in double quotes), or a list of them"

    def find(self, given: object) -> object:
        """The names."""
        if isinstance(given, str):
            return listed_names(given)
        if not isinstance(given, Iterable) or isinstance(given, bytes | dict):
            return None
        names = tuple(given)
        return names if all(isinstance(name, str) and name for name in names) else None


class Texts(OptionValues):
    """Several texts, one option each."""

    allowed = "a text that is not empty, or a list of them"

    def find(self, given: object) -> object:
        """The texts, each once."""
        if isinstance(given, str):
            given = (given,)
        if not isinstance(given, Iterable) or isinstance(given, bytes | dict):
            return None
        texts = tuple(given)
        good = all(isinstance(text, str) and text.strip() for text in texts)
        return tuple(dict.fromkeys(text.strip() for text in texts)) if good else None


class Location(OptionValues):
    """Paths of files or folders; they become absolute, and `~` the user's home."""

    allowed = "a path"

    def find(self, given: object) -> object:
        """The path from the root. Raises `InvalidInput` if the current folder was removed."""
        if not isinstance(given, str | os.PathLike) or not os.fspath(given):
            return None
        # Path.expanduser raises for a file named ~something.
        return str(absolute(Path(os.path.expanduser(os.fsdecode(given)))))  # noqa: PTH111


class SettingValue(OptionValues):
    """OptionValues of a setting, which become the text that `--set KEY=VALUE` has."""

    allowed = "a number, a text, true or false"

    def find(self, given: object) -> object:
        """The text."""
        if isinstance(given, bool):
            return str(given).lower()
        if isinstance(given, str | Real):
            return str(given)
        return os.fspath(given) if isinstance(given, os.PathLike) else None


class SettingPairs(OptionValues):
    """Settings by key."""

    allowed = "settings by key, each a number, a text, true or false"

    def find(self, given: object) -> object:
        """The settings, with their values as texts. Raises `InvalidConfig` for another value."""
        if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
            return None
        return {key: _setting(key, value) for key, value in given.items()}


def _setting(key: str, value: object) -> object:
    try:
        return SettingValue().take(value)
    except ValueError as fault:
        raise InvalidConfig(f"setting {key} is {fault}") from fault
