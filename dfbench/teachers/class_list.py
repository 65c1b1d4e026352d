"""A user's description of an external classifier: its input, and its classes in output order."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dfbench.class_names import listed_names, name_error, normalised
from dfbench.errors import InvalidInput
from dfbench.modality import Modality
from dfbench.system.files import read_text

_CHANNELS = 3
_BRIGHTEST = 1.0
_FEWEST_PIXELS, _MOST_PIXELS = 8, 2048


@dataclass(frozen=True)
class TeacherDescription:
    """Description of an external classifier."""

    modality: Modality
    network: str
    """Backbone, by name."""
    classes: tuple[str, ...]
    """In the order of its outputs, in the spelling of `dfbench.class_names.normalised`."""
    mean: tuple[float, ...]
    """Mean per channel, subtracted from images in [0, 1]."""
    std: tuple[float, ...]
    """Standard deviation per channel, by which images are then divided."""
    image_size: int
    """Height and width of its input images in pixels."""


def checked_classes(given: Sequence[str]) -> tuple[str, ...]:
    """Normalised names in the given order, without empty ones. Raises `InvalidInput`."""
    names = [name.strip() for name in given if name.strip()]
    spellings: dict[str, str] = {}
    for name in names:
        if (error := name_error(name)) is not None:
            raise InvalidInput(
                f"class {name!a} of the class list cannot be used: {error}; allowed: names of "
                "visible characters"
            )
        plain = normalised(name)
        if plain in spellings:
            first = spellings[plain]
            other = "twice" if first == name else f"twice, also as {first!r}"
            raise InvalidInput(
                f"class {name!r} is in the class list {other}; allowed: each class once, in the "
                "order of the network's outputs"
            )
        spellings[plain] = name
    if len(names) < 2:
        raise InvalidInput(
            f"a class list of {len(names)} names; allowed: two or more, as --classes a,b,c or as "
            "--classes FILE with one name per line, in the order of the network's outputs"
        )
    return tuple(spellings)


def channel_values(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """The three values of a normaliser (`mean` or `std`); a single value applies to all channels.

    Raises `InvalidInput` for any other number of values, for a mean outside [0, 1] and for a
    standard deviation outside (0, 1].
    """
    if len(values) not in (1, _CHANNELS):
        raise InvalidInput(
            f"--{name} with {len(values)} values; allowed: one, or one for each of the "
            f"{_CHANNELS} channels, e.g. --{name} 0.5 or --{name} 0.485,0.456,0.406"
        )
    for value in values:
        in_range = 0 <= value <= _BRIGHTEST and (name == "mean" or value > 0)
        if not in_range:
            form = "from 0 to 1" if name == "mean" else "above 0 and at most 1"
            raise InvalidInput(
                f"--{name} {value:g}; allowed: values {form}, for images in [0, 1] (for images in "
                f"[0, 255], divide --{name} by 255)"
            )
    return tuple(values) * (_CHANNELS // len(values))


def checked_size(pixels: int) -> int:
    """Height and width of a classifier's images. Raises `InvalidInput` for an unusable size."""
    if not _FEWEST_PIXELS <= pixels <= _MOST_PIXELS:
        raise InvalidInput(
            f"--input-size {pixels}; allowed: {_FEWEST_PIXELS} to {_MOST_PIXELS} pixels, the size "
            "of the classifier's training images, e.g. --input-size 224"
        )
    return pixels


_FORMS = (
    "allowed: a text file with one name per line (or `0 cat`, `cat,0`, or JSON like class_to_idx), "
    "in the order of the network's outputs, or comma-separated names"
)
_ENDINGS = (".txt", ".json", ".csv", ".tsv", ".names", ".lst", ".list", ".yaml", ".yml")
_LARGEST = 2**24
"""Largest class list file in bytes."""
_HEADER = re.compile(
    r"(id|idx|index|label|class|name|category|target|class_?(id|idx|index|name)|names:|classes:)",
    re.IGNORECASE,
)
_PATTERNS = (
    re.compile(r"(?P<place>\d+)(\s*[:,;\t]\s*|\s+)(?P<name>.*\S)"),
    re.compile(r"(?P<name>\S.*?)(\s*[:,;\t=]\s*|\s+)(?P<place>\d+)"),
)
"""A line with a number before or after the name."""
_KEYS = ("id2label", "idx_to_class", "class_to_idx", "label2id", "classes", "class_names", "names")
"""Keys under which configurations and training scripts store the names."""


def class_list(text: str) -> tuple[str, ...]:
    """Class names from a file, or from a comma-separated text.

    A file has one name per line, optionally with a number, or is JSON: a list, names by number or
    numbers by name. Numbers, starting from 0 or 1, determine the order. Raises `InvalidInput` for a
    file that cannot be read, for numbers that are not consecutive, for fewer than two names and for
    two names that differ only in spelling.
    """
    # Unlike Path, these also work for texts that are not valid paths.
    if os.path.lexists(text) and not os.path.isdir(text):  # noqa: PTH112
        return checked_classes(_from_file(Path(text)))
    if "," not in text or text.lower().endswith(_ENDINGS):
        _check_no_file(text)
    return checked_classes(listed_names(text))


def _check_no_file(text: str) -> None:
    """Raise `InvalidInput` for a text that names a missing file."""
    path = Path(text)
    if os.path.isdir(text):  # noqa: PTH112  # likewise
        raise InvalidInput(f"class list {text!r} is a folder; {_FORMS}")
    if not (path.suffix or path.name != text):
        return
    folder = path.parent if os.path.isdir(path.parent) else Path()  # noqa: PTH112  # likewise
    near = [str(f) for f in folder.glob("*") if f.suffix.lower() in _ENDINGS]
    close = get_close_matches(text, near, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    raise InvalidInput(f"class list {text!r} cannot be read (no such file){hint} {_FORMS}")


def _from_file(file: Path) -> Sequence[str]:
    who = f"class list {str(file)!r}"
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError(f"{file.stat().st_size} bytes, too large for a list of names")
        text = read_text(file).strip()
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise InvalidInput(f"{who} cannot be read ({reason}); {_FORMS}") from fault
    if text.startswith(("{", "[")):
        return _from_structure(text, who)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and "," in lines[0]:
        return listed_names(lines[0])
    return _without_numbers(lines, who)


def _from_structure(text: str, who: str) -> Sequence[str]:
    content = _parsed(text, who)
    if isinstance(content, Mapping):
        content = next((content[key] for key in _KEYS if key in content), content)
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return content
    numbered = _numbered(content) if isinstance(content, Mapping) else None
    if numbered is not None:
        return _in_order(numbered, who)
    found = list(content)[:5] if isinstance(content, Mapping) else []
    keys = f" (its keys: {', '.join(map(str, found))})" if found else ""
    raise InvalidInput(f"{who} is JSON of an unknown form{keys}; {_FORMS}")


def _parsed(text: str, who: str) -> Any:
    """The content of JSON, or of a printed Python list or mapping."""
    try:
        return json.loads(text, object_pairs_hook=_unrepeated)
    except json.JSONDecodeError as fault:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise InvalidInput(f"{who} is not JSON ({fault}); {_FORMS}") from fault
    except (ValueError, RecursionError) as fault:
        raise InvalidInput(f"{who} is not a list of classes ({fault}); {_FORMS}") from fault


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of the pairs; unlike `json`, refuses duplicate keys."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(k for k in keys if keys.count(k) > 1)!r} occurs twice")
    return content


def _numbered(content: Mapping[Any, Any]) -> list[tuple[int, str]] | None:
    """Numbers with names: `{"cat": 0}`, `{"0": "cat"}`, or ImageNet's `{"0": ["n1", "cat"]}`."""
    if all(isinstance(place, int) and not isinstance(place, bool) for place in content.values()):
        return [(place, str(name)) for name, place in content.items()]
    if not all(str(place).isdecimal() for place in content):
        return None
    names = [name[-1] if isinstance(name, list) and name else name for name in content.values()]
    if not all(isinstance(name, str) for name in names):
        return None
    return [(int(place), name) for place, name in zip(content, names, strict=True)]


def _without_numbers(lines: list[str], who: str) -> Sequence[str]:
    """The names in lines, in the order of their numbers if every line has one."""
    first = re.split(r"[\s,;]+", lines[0]) if lines else [""]
    body = lines[1:] if all(map(_HEADER.fullmatch, first)) else lines
    for pattern in _PATTERNS:
        found = [pattern.fullmatch(line) for line in body]
        numbered = [(int(m["place"]), m["name"].strip("\"'")) for m in found if m is not None]
        names = {name for _, name in numbered}
        counted = {0, 1} & {place for place, _ in numbered}
        if len(numbered) == len(found) and counted and 2 * len(names) > len(found):
            return _in_order(numbered, who)
    return [line.strip('"') for line in lines]  # also `digit 0`, `digit 1`, ...


def _in_order(numbered: Sequence[tuple[int, str]], who: str) -> Sequence[str]:
    places = sorted(place for place, _ in numbered)
    first = places[0] if places and places[0] in (0, 1) else 0
    for wanted, place in enumerate(places, first):
        if place != wanted:
            fault = f"{place} occurs twice" if place < wanted else f"{wanted} is missing"
            raise InvalidInput(
                f"{who} has the numbers {_told(places)}, but {fault}; allowed: each from {first} "
                f"to {first + len(places) - 1} once, in the order of the network's outputs"
            )
    return [name for _, name in sorted(numbered)]


def _told(places: Sequence[int]) -> str:
    return ", ".join(map(str, places[:5])) + (", ..." if len(places) > 5 else "")
