"""Tables of scores by class overlap, for all queries and for each group of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from statistics import fmean
from typing import Any

from dfbench.records.record import Record
from dfbench.reporting.cells import NONE, deviation, mean_and_deviation, metric_title, short
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.naming import Usual
from dfbench.reporting.overlap import ALL, GROUPS, Series, Sweep, group_chance, sweeps
from dfbench.reporting.roles import remarks, section_of
from dfbench.reporting.tables.columns import (
    COUNT,
    NAMES,
    SCORE,
    SCORES,
    SHARE,
    WORDS,
    Column,
    Kind,
    Part,
    Row,
    Table,
)
from dfbench.reporting.tables.layout import Layout, Typed

_PROTOCOLS = {
    "overlap": "columns: share of all classes that both teachers know; the union of their classes "
    "is fixed, so with fewer shared classes each teacher knows fewer",
    "fixed-overlap": "columns: share of each teacher's classes that the other knows too; each "
    "teacher knows half of the dataset's classes, so with more shared classes the union is smaller",
}
_TOLERANCE = 1e-6
_QUERIES = {
    ALL: "all queries",
    "shared": "queries of classes known to both teachers",
    "sketch-only": "queries of classes known only to the sketch teacher",
    "photo-only": "queries of classes known only to the photo teacher",
}


def overlap_tables(records: Iterable[Record], metric: str = DEFAULT_METRIC) -> list[Layout]:
    """For each dataset and protocol, a table of all queries and one per group of queries.

    Rows are methods, columns the requested overlap; teachers and chance follow below the methods.
    """
    return [
        layout
        for sweep in sweeps(records, metric)
        for group in (ALL, *GROUPS)
        if (layout := _table(sweep, metric, group)) is not None
    ]


def _table(sweep: Sweep, metric: str, group: str) -> Layout | None:
    sections = sweep.sections
    shown = [one for found in sections.values() for one in found]
    if not any(one.values(o, metric, group) for one in shown for o in sweep.overlaps):
        return None
    around = tuple(_surroundings(sweep, metric, group))
    columns = _columns(sweep, metric, group)
    scores = [column for column in columns if column.title]
    table = Table(columns, tuple(scores), sections, {"": around})
    return table.layout(
        f"{sweep.dataset}, {sweep.protocol}, {metric_title(metric)}: {_QUERIES[group]}",
        list(_notes(sweep, metric)),
        {
            "dataset": sweep.dataset,
            "scenario": sweep.protocol,
            "queries": group,
            "metric": metric,
            "overlaps": {f"{o:g}": _conditions(sweep, o, group) for o in sweep.overlaps},
        },
        fields=lambda: _points(sweep, metric, group).fields,
    )


def _columns(sweep: Sweep, metric: str, group: str) -> tuple[Column[Series], ...]:
    def values(overlap: float, representation: str, one: Series) -> list[float]:
        return one.values(overlap, metric, group, representation)

    return (
        *_names(lambda one: one),
        Column(lambda one: one.first.method.needs, NAMES, key=("needs",)),
        *(
            Column(
                partial(values, o, ""), _means_of(sweep.seeds(o)), f"{o:g}", ("values", f"{o:g}")
            )
            for o in sweep.overlaps
        ),
        *(
            Column(partial(values, o, "posterior"), SCORES, key=("posterior", f"{o:g}"))
            for o in sweep.overlaps
        ),
    )


def _means_of(seeds: int) -> Kind[list[float]]:
    """Scores by their mean; with the number of seeds where other methods have more."""

    def text(values: list[float]) -> str:
        fewer = f" ({len(values)})" if len(values) < seeds else ""
        return short(fmean(values)) + fewer if values else NONE

    return Kind(text=text)


def _names(series: Callable[[Row], Series]) -> tuple[Column[Row], ...]:
    """What a row's method is called, of rows that each have one."""
    return (
        Column(lambda r: section_of(series(r).first.method), WORDS, "", ("section",), "section"),
        Column(lambda r: series(r).first.method.label, WORDS, "", ("method",), "method"),
        Column(lambda r: series(r).name, WORDS, "method", ("name",), "name"),
    )


_MEAN: Kind[Sequence[float]] = Kind(
    text=mean_and_deviation,
    parts=lambda values: (
        Part("mean", Typed(fmean(values), "float64")),
        Part("std", Typed(deviation(values), "float64")),
    ),
)
"""A metric on each seed, in two fields."""
_Point = tuple[Series, float]
"""A method at an overlap at which it has scores: a row for CSV and data frames."""


def _points(sweep: Sweep, metric: str, group: str) -> Table[_Point]:
    def values(point: _Point) -> list[float]:
        one, overlap = point
        return one.values(overlap, metric, group)

    def chance(point: _Point) -> float:
        return fmean(_conditions(sweep, point[1], group)["chance"])

    columns: tuple[Column[_Point], ...] = (
        Column(lambda _: sweep.dataset, WORDS, field="dataset"),
        Column(lambda _: sweep.protocol, WORDS, field="scenario"),
        Column(lambda _: metric, WORDS, field="metric"),
        Column(lambda _: group, WORDS, field="queries"),
        *_names(lambda point: point[0]),
        Column(itemgetter(1), SHARE, field="overlap"),
        Column(values, _MEAN, field=""),
        Column(lambda point: len(values(point)), COUNT, field="seeds"),
        Column(chance, SCORE, field=f"chance {DEFAULT_METRIC}"),
    )
    points = [
        (one, o) for found in sweep.sections.values() for one in found for o in sweep.overlaps
    ]
    return Table(columns, (), {"": [point for point in points if values(point)]})


def _surroundings(sweep: Sweep, metric: str, group: str) -> Iterator[tuple[str, ...]]:
    """Rows for seeds, chance and, with all queries, the teachers; means over all runs."""
    yield "seeds", *(str(sweep.seeds(o)) for o in sweep.overlaps)
    if metric == DEFAULT_METRIC:
        yield "chance", *_means(sweep, lambda record: group_chance(record, group), short)
    if group == ALL:
        for modality in ("photo", "sketch"):
            for part, form in (("accuracy", short), ("classes", "{:g}".format)):
                value = partial(_of_teacher, modality=modality, part=part)
                yield f"{modality} teacher, {part}", *_means(sweep, value, form)


def _of_teacher(record: Record, modality: str, part: str) -> float:
    return float(getattr(record.teachers[modality], part))


def _means(
    sweep: Sweep, value: Callable[[Record], float | None], form: Callable[[float], str]
) -> Iterator[str]:
    for overlap in sweep.overlaps:
        found = [one for record in sweep.records(overlap) if (one := value(record)) is not None]
        yield form(fmean(found)) if found else NONE


def _notes(sweep: Sweep, metric: str) -> Iterator[str]:
    definitions = (one.first.definitions for one in sweep.series)
    definition = next(known[metric] for known in definitions if metric in known)
    yield _PROTOCOLS[sweep.protocol]
    yield (
        "every query ranks the whole gallery; mean over seeds, (n) marks a mean over only n seeds "
        "(deviations: --format csv)"
    )
    yield f"{metric_title(metric)}: {definition.formula}"
    yield from remarks(one.first for one in sweep.series)
    shown = [record for o in sweep.overlaps for record in sweep.records(o)]
    yield from Usual.of(shown).notes(shown)
    came_out = {o: _came_out(sweep, o) for o in sweep.overlaps}
    other = [f"{o:g}: {short(out)}" for o, out in came_out.items() if abs(o - out) > _TOLERANCE]
    if other:
        yield f"actual share of the union, where it differs: {', '.join(other)}"


def _came_out(sweep: Sweep, overlap: float) -> float:
    divisions = [record.division for record in sweep.records(overlap)]
    return fmean(division.overlap if division else 1.0 for division in divisions)


def _conditions(sweep: Sweep, overlap: float, group: str) -> dict[str, Any]:
    """Realised overlap, seeds, chance and teacher accuracy of the records at an overlap."""
    by_seed = {record.seed: record for record in sweep.records(overlap)}
    return {
        "overlap": _came_out(sweep, overlap),
        "seeds": sorted(by_seed),
        "chance": [group_chance(by_seed[seed], group) for seed in sorted(by_seed)],
        "teachers": {
            modality: [by_seed[seed].teachers[modality].accuracy for seed in sorted(by_seed)]
            for modality in ("photo", "sketch")
        },
    }
