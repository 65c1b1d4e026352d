"""The role of a method in a table: training-free, trained without data, or trained with data."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dfbench.need import Need
from dfbench.plugins.info import MethodInfo, parse_label
from dfbench.records.record import Record

UNTRAINED = "data-free, no training"
TRAINED = "data-free, trained"
REFERENCE = "data-dependent references"
SECTIONS = (UNTRAINED, TRAINED, REFERENCE)
"""In the order of a table."""
_REFERENCES = frozenset(need for need in Need if need.provision.reference)


@dataclass(frozen=True)
class Roles:
    """Roles of methods, by label."""

    bar: str
    """The training-free method that trained methods should outperform."""
    extensions: tuple[str, ...]
    """Variants that go beyond a paper's method, and are asked what that method is asked."""
    remarks: Mapping[str, str]
    """By method, the note of every table that shows it."""


def section_of(method: MethodInfo) -> str:
    """One of `SECTIONS`, whose methods are compared with each other: by needs and training."""
    if _REFERENCES & {*method.needs}:
        return REFERENCE
    return TRAINED if method.trains else UNTRAINED


@cache
def roles() -> Roles:
    """The roles defined by the shipped `questions.toml`."""
    text = (files("dfbench_benchmarks") / "questions.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    return Roles(content["bar"], tuple(content["extensions"]), content["remarks"])


def remarks(records: Iterable[Record]) -> list[str]:
    """The notes on the methods of the records, each once."""
    names = dict.fromkeys(record.method.name for record in records)
    return [f"{name}: {roles().remarks[name]}" for name in names if name in roles().remarks]


def extensions_of(label: str) -> tuple[str, ...]:
    """The variants that go beyond the method with this label."""
    return tuple(name for name in roles().extensions if parse_label(name)[0] == label)


def is_variant_of(method: MethodInfo, label: str) -> bool:
    """Whether a method is a named variant of the method with this label.

    An objective on another method's generated pairs is not a variant: it is the objective without
    real data.
    """
    name, _ = parse_label(label)
    return method.name == name and method.variant is not None and method.pairs_of is None
