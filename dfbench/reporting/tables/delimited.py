"""CSV output of tables: one line per table row, numbers in full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any

from dfbench.reporting.tables.layout import Layout

_NAMES = ("dataset", "scenario", "section", "method", "name", "needs", "seeds")
_OVERLAP_NAMES = ("dataset", "scenario", "metric", "queries", "section", "method", "name")


def leaderboard_csv(layouts: Sequence[Layout]) -> str:
    """All rows of several leaderboards under one header.

    For each metric and representation the mean and, from two seeds on, the sample standard
    deviation over seeds, followed by published values. Missing numbers are empty fields.
    """
    rows = [_fields(table.content, row) for table in layouts for row in table.content["rows"]]
    header = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(header), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def overlap_csv(layouts: Sequence[Layout]) -> str:
    """Overlap tables under one header: one line per method, group of queries and overlap."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_OVERLAP_NAMES, "overlap", "mean", "std", "seeds", "chance map@all"))
    for table in (layout.content for layout in layouts):
        for row in table["rows"]:
            words = [{**table, **row}[name] for name in _OVERLAP_NAMES]
            for overlap, values in row["values"].items():
                if values:
                    deviation = stdev(values) if len(values) > 1 else ""
                    chance = fmean(table["overlaps"][overlap]["chance"])
                    numbers = (fmean(values), deviation, len(values), chance)
                    writer.writerow((*words, overlap, *numbers))
    return text.getvalue()


def _fields(table: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    words = {**table, **row, "needs": "; ".join(row["needs"]), "seeds": len(row["seeds"]) or ""}
    fields = {name: words[name] for name in _NAMES}
    for representation, scores in {"": row["metrics"], **row["representations"]}.items():
        for metric, values in scores.items():
            fields |= _summary(f"{representation} {metric}".strip(), values)
    for group, scores in row["groups"].items():
        for metric, values in scores.items():
            fields |= _summary(f"{group} {metric}", values)
    for metric, value in (row["published"] or {}).items():
        fields[f"published {metric}"] = value
    return fields


def _summary(name: str, values: list[float]) -> Iterator[tuple[str, float | str]]:
    if values:
        yield name, fmean(values)
        yield f"{name} std", stdev(values) if len(values) > 1 else ""
