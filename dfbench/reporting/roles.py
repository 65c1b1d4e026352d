"""What part a row plays in a table: trained or not, without data or a reference with it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dfbench.need import REFERENCES
from dfbench.plugins.method_info import MethodInfo, parse_label
from dfbench.records.record import Record

UNTRAINED = "data-free, no training"
TRAINED = "data-free, trained"
REFERENCE = "data-dependent references"
SECTIONS = (UNTRAINED, TRAINED, REFERENCE)
"""In the order of a table."""


@dataclass(frozen=True)
class Roles:
    """Rows with a part of their own, by label."""

    bar: str
    """The row that nothing which trains may fall behind."""
    remarks: Mapping[str, str]
    """By method, what a table that shows it has to say."""


def section_of(method: MethodInfo) -> str:
    """One of `SECTIONS`, whose methods are compared with each other: by needs and training."""
    if REFERENCES & {*method.needs}:
        return REFERENCE
    return TRAINED if method.trains else UNTRAINED


@cache
def roles() -> Roles:
    """The parts that the shipped `questions.toml` gives."""
    text = (files("dfbench_benchmarks") / "questions.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    return Roles(content["bar"], content["remarks"])


def remarks(records: Iterable[Record]) -> list[str]:
    """What a table has to say about the methods it shows, each once."""
    names = dict.fromkeys(record.method.name for record in records)
    return [f"{name}: {roles().remarks[name]}" for name in names if name in roles().remarks]


def is_variant_of(row: MethodInfo, label: str) -> bool:
    """Whether a row is a named variant of the method of a label.

    A row on another row's generated pairs is no variant but an objective without its data.
    """
    name, _ = parse_label(label)
    return row.name == name and row.variant is not None and row.pairs_of is None
