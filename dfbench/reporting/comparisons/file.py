"""`comparisons.json`: the stored comparisons of a results folder, readable without run folders."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dfbench.reporting.comparisons.comparison import Answers, Comparison, Wanted
from dfbench.system.files import atomic_path, read_model

FILE = "comparisons.json"
SCHEMA_VERSION: Literal[1] = 1
"""Incremented when the fields of the file change."""
_TOLERANCE = 1e-9


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Kept:
    """Stored comparisons, checked against the current records and questions."""

    answers: Answers
    stale: tuple[str, ...]
    """Dropped comparisons, each with the reason."""


def read_comparisons(folder: Path) -> tuple[Comparison, ...]:
    """The stored comparisons; empty without the file. Raises `InvalidInput` for a broken one."""
    file = folder / FILE
    if not file.is_file():
        return ()
    content = read_model(
        _Content,
        file,
        "is not in the format of this version of dfbench",
        "remove it and write it again: dfbench compare --write",
    )
    return content.comparisons


def write_comparisons(folder: Path, comparisons: Iterable[Comparison]) -> Path:
    """Store comparisons, sorted so that the file does not depend on the order of computation."""
    ordered = sorted(comparisons, key=lambda c: (c.dataset, c.scenario, repr(c.key)))
    content = _Content(comparisons=tuple(ordered)).model_dump(mode="json")
    file = folder / FILE
    with atomic_path(file) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return file


def keep_current(
    stored: Iterable[Comparison], wanted: Iterable[Wanted], eval_ids: Iterable[str]
) -> Kept:
    """The stored comparisons that are still wanted and agree with the records."""
    known = set(eval_ids)
    by_key = {one.key: one for one in wanted}
    answers, stale = {}, []
    for comparison in stored:
        reason = _fault(comparison, by_key.get(comparison.key), known)
        if reason:
            stale.append(f"{_name(comparison)}: {reason}")
        else:
            answers[comparison.key] = comparison
    return Kept(answers, tuple(stale))


def _fault(comparison: Comparison, wanted: Wanted | None, known: set[str]) -> str:
    if not known.issuperset(e for side in comparison.sides for e in side.eval_ids):
        return "its records are not in this folder"
    if wanted is None:
        return "no question compares these methods and seeds any more"
    if wanted.value is None or abs(wanted.value - comparison.value) > _TOLERANCE:
        return "it disagrees with its records"
    return ""


def _name(comparison: Comparison) -> str:
    sides = ", ".join(
        " ".join(filter(None, (s.label, s.representation, s.reranker))) for s in comparison.sides
    )
    return f"{comparison.statistic} of {sides} on {comparison.dataset}, {comparison.scenario}"
