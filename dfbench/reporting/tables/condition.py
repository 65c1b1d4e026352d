"""Tables and JSON of a dataset check."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from dfbench.datasets.condition.condition import Condition
from dfbench.modality import MODALITIES, Modality
from dfbench.reporting.cells import short
from dfbench.reporting.tables.layout import Layout

_SHOWN = 5
"""Problems of one kind shown in a terminal; JSON has all of them."""


def condition_layouts(condition: Condition) -> list[Layout]:
    """Tables of the files found, the problems, and the best possible P@200."""
    tables = [_images(condition), _problems(condition), _ceilings(condition)]
    return [table for table in tables if table.rows]


def condition_content(condition: Condition) -> dict[str, Any]:
    """All of it as JSON."""
    return {
        "dataset": condition.name,
        "root": str(condition.root),
        "usable": condition.usable,
        "obstacles": list(condition.obstacles),
        "notes": list(condition.notes),
        "looked_at": asdict(condition.looks) if condition.looks else None,
        "layouts": dict(condition.layouts),
        "classes": {
            name: {m: condition.counts[m][name] for m in MODALITIES}
            for name in condition.counts["photo"]
        },
        "published": dict(condition.published),
        "problems": [{"kind": p.kind, "text": p.text} for p in condition.problems],
        "prec@200_ceilings": [asdict(ceiling) for ceiling in condition.ceilings],
    }


def _images(condition: Condition) -> Layout:
    header = ("images", "files", "published", "classes", "with images", "least", "most")
    verdict = "usable" if condition.usable else "not usable as it is"
    notes = [f"{kind}: {place}" for kind, place in condition.layouts.items()]
    notes += condition.notes
    notes += [f"{verdict}: {line}" for line in condition.obstacles] or [verdict]
    if condition.looks and not condition.looks.decode:
        notes.append("images were not decoded (--decode finds truncated ones)")
    if condition.looks and not condition.looks.duplicates:
        notes.append("file contents were not compared (--duplicates compares them)")
    rows = tuple(_counts(condition, modality) for modality in MODALITIES)
    return Layout(f"{condition.name} in {condition.root}", header, rows, tuple(notes), {})


def _counts(condition: Condition, modality: Modality) -> tuple[str, ...]:
    counts = condition.counts[modality].values()
    published = condition.published.get(modality, "-")
    numbers = (
        *(sum(counts), published, len(counts), sum(n > 0 for n in counts)),
        *(min(counts, default=0), max(counts, default=0)),
    )
    return (modality, *map(str, numbers))


def _problems(condition: Condition) -> Layout:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for problem in condition.problems:
        texts[problem.kind].append(problem.text)
    rows: list[tuple[str, ...]] = []
    for kind, lines in texts.items():
        shown = lines[:_SHOWN]
        if lines[_SHOWN:]:
            shown.append(f"and {len(lines) - _SHOWN} more (--format json has all)")
        rows += [(kind if place == 0 else "", line) for place, line in enumerate(shown)]
    return Layout("problems", ("kind", "problem"), tuple(rows), (), {}, text_columns=2)


def _ceilings(condition: Condition) -> Layout:
    header = ("test part", "classes", "queries", "photos", "classes below 200 photos", "P@200")
    rows = tuple(
        (c.division, *map(str, (c.classes, c.queries, c.gallery, len(c.small))), short(c.value))
        for c in condition.ceilings
    )
    note = "a query of a class with R photos has at most min(R, 200) hits; mean over queries"
    return Layout("best possible P@200", header, rows, (note,), {})
