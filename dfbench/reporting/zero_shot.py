"""Published zero-shot results: data with split, metrics and source, and their table rows."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from dfbench.records.record import Record
from dfbench.scenarios.scenario import parse_scenario

ZERO_SHOT = "zero-shot, with data, as published"
"""Title of their section of a table."""
_UNSTATED = " *"


@dataclass(frozen=True)
class ZeroShot:
    """The published numbers of one method on the unseen classes of one dataset."""

    method: str
    dataset: str
    splits: tuple[str, ...]
    """The possible lists of unseen classes; several if the source does not state which."""
    values: dict[str, float]
    """By metric, as published; each computed with its authors' own code."""
    source: str

    @property
    def name(self) -> str:
        """The method, marked if its list of unseen classes is not stated."""
        return self.method + (_UNSTATED if len(self.splits) > 1 else "")


def elsewhere(record: Record) -> list[ZeroShot]:
    """Published results on the unseen classes of a record, the best of each metric first."""
    split = parse_scenario(record.scenario).split
    found = zero_shot(record.data.name, split) if split else []
    return sorted(found, key=lambda one: (min(one.values), -next(iter(one.values.values()))))


def printed_notes(others: list[ZeroShot]) -> Iterator[str]:
    """Sources of the published rows, and what these do not state."""
    if not others:
        return
    sources = "; ".join(dict.fromkeys(one.source for one in others))
    yield (
        f"{ZERO_SHOT}: {sources}; each with its authors' own code, networks and definition of the "
        "metric"
    )
    if any(len(one.splits) > 1 for one in others):
        yield "* the number of unseen classes is the same, but the source does not list them"


def zero_shot(dataset: str, split: str) -> list[ZeroShot]:
    """Published results on a dataset whose split is, or may be, this one; each once."""
    found: dict[tuple[str, tuple[tuple[str, float], ...]], ZeroShot] = {}
    for one in _all():
        if one.dataset == dataset and split.casefold() in map(str.casefold, one.splits):
            found.setdefault((one.method, tuple(one.values.items())), one)
    return list(found.values())


@cache
def _all() -> tuple[ZeroShot, ...]:
    folder = files("dfbench_benchmarks") / "reported" / "zero_shot"
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    texts = (entry.read_text(encoding="utf-8") for entry in entries)
    return tuple(one for text in texts for one in _page(tomllib.loads(text)))


def _page(content: dict[str, Any]) -> Iterator[ZeroShot]:
    for table in content["tables"]:
        stated = {name: split for split, names in table.get("lists", {}).items() for name in names}
        for method, values in table["rows"].items():
            yield ZeroShot(
                method=method,
                dataset=table["dataset"],
                splits=(stated[method],) if method in stated else tuple(table["splits"]),
                # Rows may lack the last columns of their table.
                values=dict(zip(table["metrics"], values, strict=False)),
                source=content["source"],
            )
