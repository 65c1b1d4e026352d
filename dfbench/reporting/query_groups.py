"""Scores of query groups: queries of classes known to both teachers, or to one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dfbench.records.record import Record, RecordedScore
from dfbench.reporting.cells import span
from dfbench.reporting.lines import Line

GROUPS = ("shared", "sketch-only", "photo-only")
"""Names of the groups in records; all groups share the gallery."""
ALL = "all"
"""All queries."""


def query_groups(records: Iterable[Record]) -> tuple[str, ...]:
    """The groups that occur in any of the records."""
    found = {name for record in records for name in record.groups}
    return tuple(name for name in GROUPS if name in found)


def group_scores(record: Record, group: str, representation: str = "") -> dict[str, RecordedScore]:
    """The scores of a query group; empty if the record has none."""
    if group == ALL:
        return record.representations.get(representation, {}) if representation else record.metrics
    if group not in record.groups:
        return {}
    found = record.groups[group]
    return found.representations.get(representation, {}) if representation else found.metrics


def group_values(line: Line, group: str, metric: str, representation: str = "") -> list[float]:
    """The metric of a group for each seed that has it."""
    found = (group_scores(record, group, representation) for record in line.records)
    return [scores[metric].value for scores in found if metric in scores]


def group_chance(record: Record, group: str) -> float | None:
    """`map@all` of a random ranking for a query group; None if the record has no such group."""
    if group == ALL:
        return record.chance
    return record.groups[group].chance if group in record.groups else None


def group_notes(records: Sequence[Record]) -> Iterator[str]:
    """Notes on the classes that the teachers know, and on the chance level of each group."""
    divisions = [record.division for record in records if record.division]
    if not divisions:
        return
    if divisions[0].unseen:
        seen = {len(division.shared) for division in divisions}
        yield (
            f"teachers and methods have seen {_counts(seen)} other classes; queries and gallery "
            "are all images of the unseen classes"
        )
        yield from _earlier_knowledge(records)
        return
    yield f"the teachers share {span([d.overlap for d in divisions])} of the union of their classes"
    for name in query_groups(records):
        own = [record.groups[name] for record in records if name in record.groups]
        yield (
            f"{name}: mAP@all of {_counts({group.queries for group in own})} queries, chance "
            f"{span([group.chance for group in own])}"
        )
    known = (
        f"the {modality} teacher {_counts({r.teachers[modality].classes for r in records})}"
        for modality in ("photo", "sketch")
    )
    yield f"classes: {', '.join(known)}; a teacher's accuracy is on its own classes"


def _earlier_knowledge(records: Sequence[Record]) -> Iterator[str]:
    """Notes on what networks may have learned of unseen classes by pre-training."""
    if any(record.recipe.initialisation == "imagenet" for record in records):
        yield (
            "networks start from ImageNet weights, so unseen classes that occur in ImageNet are "
            "not new to them (split s21 of Sketchy has no such class)"
        )
    if any(teacher.external for record in records for teacher in record.teachers.values()):
        yield "the pre-training of the external teachers is not known"


def _counts(numbers: set[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"
