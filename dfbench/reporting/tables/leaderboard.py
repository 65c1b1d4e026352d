"""Leaderboards: one table per dataset and scenario, with mean and standard deviation over seeds.

Groups of queries (classes known to both teachers, or to one) have their own columns if the records
distinguish them. Published zero-shot results on the same unseen classes follow in a section.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from dfbench.records.record import Record
from dfbench.reporting.cells import (
    NONE,
    mean_and_deviation,
    metric_title,
    short,
    signed,
    span,
)
from dfbench.reporting.lines import Line, lines, tables
from dfbench.reporting.published import Published, published
from dfbench.reporting.query_groups import group_notes, group_values, query_groups
from dfbench.reporting.roles import SECTIONS, remarks, section_of
from dfbench.reporting.tables.layout import Layout, Rank
from dfbench.reporting.zero_shot import (
    ZERO_SHOT,
    ZeroShot,
    elsewhere,
    printed_content,
    printed_notes,
    printed_row,
)

HEADLINE = ("map@all", "prec@200")


def leaderboards(records: Iterable[Record], metrics: Sequence[str] = HEADLINE) -> list[Layout]:
    """One table per data fingerprint and scenario.

    Methods without training, trained methods and references with data form separate sections, each
    sorted by the mean of the first metric.
    """
    return [_leaderboard(table, metrics) for table in tables(records)]


def table_title(record: Record) -> str:
    """The title of the table that contains a record."""
    return f"{record.data.name}, {record.scenario_title}, {len(record.data.classes)} classes"


def _leaderboard(records: list[Record], metrics: Sequence[str]) -> Layout:
    first = records[0]
    by_section: dict[str, list[Line]] = {name: [] for name in SECTIONS}
    for line in lines(records, metrics[0]):
        by_section[section_of(line.first.method)].append(line)
    sections = {name: found for name, found in by_section.items() if found}
    shown = [line for found in sections.values() for line in found]
    reported = published(first.data.name, first.scenario_title)
    others = elsewhere(first)
    groups = query_groups(records)
    header = ["method", *map(metric_title, metrics), "posterior", *groups, "seeds", "needs"]
    if reported or others:
        header.append("published")
    if reported:
        header.append("difference")
    rows = [_row(line, metrics, groups, reported) for line in shown]
    if others and not reported:
        rows = [(*row, NONE) for row in rows]
    counts = {**{name: len(found) for name, found in sections.items()}, ZERO_SHOT: len(others)}
    return Layout(
        title=table_title(first),
        header=tuple(header),
        rows=(*rows, *(printed_row(one, tuple(header)) for one in others)),
        notes=(*_notes(records, metrics, reported), *group_notes(records), *printed_notes(others)),
        content=_content(first, sections, metrics, reported, others),
        sections=tuple((name, count) for name, count in counts.items() if count),
        ranks=_ranks(list(sections.values()), metrics),
    )


def _row(
    line: Line, metrics: Sequence[str], groups: Sequence[str], reported: dict[str, Published]
) -> tuple[str, ...]:
    cells = [line.name, *(mean_and_deviation(line.values(m)) for m in metrics)]
    cells.append(mean_and_deviation(line.values(metrics[0], "posterior")))
    cells += [mean_and_deviation(group_values(line, name, metrics[0])) for name in groups]
    cells.append(str(len(line.records)))
    cells.append(", ".join(line.first.method.needs) or NONE)
    if reported:
        paper = _published(line, reported)
        printed = paper.values if paper else {}
        cells.append(" / ".join(short(printed[m]) for m in metrics if m in printed) or NONE)
        gaps = _differences(line, metrics, printed)
        cells.append(" / ".join(signed(gap) for gap in gaps.values()) or NONE)
    return tuple(cells)


def _published(line: Line, reported: dict[str, Published]) -> Published | None:
    return None if line.first.method.variant else reported.get(line.first.method.name)


def _differences(line: Line, metrics: Sequence[str], printed: dict[str, float]) -> dict[str, float]:
    """Mean over seeds minus the published number, by metric."""
    return {m: fmean(line.values(m)) - printed[m] for m in metrics if m in printed}


def _ranks(sections: list[list[Line]], metrics: Sequence[str]) -> dict[tuple[int, int], Rank]:
    """The best and second best of each section as rounded in the table, by row and column."""
    columns = [*((metric, "") for metric in metrics), (metrics[0], "posterior")]
    ranks: dict[tuple[int, int], Rank] = {}
    start = 0
    for section in sections:
        for column, (metric, representation) in enumerate(columns, start=1):
            found = best_two([line.values(metric, representation) for line in section])
            ranks |= {(start + place, column): rank for place, rank in found.items()}
        start += len(section)
    return ranks


def best_two(rows: list[list[float]]) -> dict[int, Rank]:
    """The best and second best mean, by place; equal rounded means share a rank."""
    means = {place: round(fmean(values), 3) for place, values in enumerate(rows) if values}
    if len(means) < 2:
        return {}
    names: tuple[Rank, Rank] = ("best", "second")
    top = dict(zip(sorted(set(means.values()), reverse=True), names, strict=False))
    return {place: top[mean] for place, mean in means.items() if mean in top}


def _notes(
    records: list[Record], metrics: Sequence[str], reported: dict[str, Published]
) -> list[str]:
    first = records[0]
    accuracies = {m: [r.teachers[m].accuracy for r in records] for m in first.teachers}
    notes = [
        f"{first.data.queries} queries, {first.data.gallery} photos; chance mAP@all "
        f"{short(first.chance)}; teacher accuracy "
        + ", ".join(f"{m} {span(values)}" for m, values in sorted(accuracies.items()))
    ]
    for name in metrics:
        if name in first.metrics:
            ceiling = first.metrics[name].ceiling
            limited = ceiling is not None and ceiling < 1
            limit = f" (at most {short(ceiling)} here)" if ceiling is not None and limited else ""
            notes.append(f"{metric_title(name)}: {first.definitions[name].formula}{limit}")
    notes.append("mean ± standard deviation over seeds")
    notes += remarks(records)
    notes.append(
        f"posterior: {metric_title(metrics[0])} with the encoders' posteriors, sum_c p_c q_c"
    )
    if reported:
        sources = "; ".join(sorted({p.source for p in reported.values()}))
        notes.append(f"published: {sources}")
        notes.append(
            "difference: ours - published; the splits differ and no variance is published, so "
            "there is no verdict"
        )
    return notes


def _content(
    first: Record,
    sections: dict[str, list[Line]],
    metrics: Sequence[str],
    reported: dict[str, Published],
    others: list[ZeroShot],
) -> dict[str, Any]:
    return {
        "dataset": first.data.name,
        "scenario": first.scenario,
        "chance": first.chance,
        "definitions": {
            name: definition.model_dump() for name, definition in first.definitions.items()
        },
        "rows": [
            {"section": section, **_json_row(line, metrics, _published(line, reported))}
            for section, found in sections.items()
            for line in found
        ]
        + [{"section": ZERO_SHOT, **printed_content(one)} for one in others],
    }


def _json_row(line: Line, metrics: Sequence[str], paper: Published | None) -> dict[str, Any]:
    names = list(line.first.metrics)
    printed = paper.values if paper else {}
    return {
        "method": line.label,
        "name": line.name,
        "needs": list(line.first.method.needs),
        "seeds": [record.seed for record in line.records],
        "metrics": {name: line.values(name) for name in names},
        "representations": {
            representation: {name: line.values(name, representation) for name in names}
            for representation in line.first.representations
        },
        "groups": {
            group: {name: group_values(line, group, name) for name in names}
            for group in query_groups(line.records)
        },
        "published": {"source": paper.source, **printed} if paper else None,
        "difference": _differences(line, metrics, printed) if paper else None,
        "records": [record.eval_id for record in line.records],
    }
