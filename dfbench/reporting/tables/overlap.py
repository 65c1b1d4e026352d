"""Tables of scores by class overlap, for all queries and for each group of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from statistics import fmean
from typing import Any

from dfbench.records.record import Record
from dfbench.reporting.cells import NONE, metric_title, short
from dfbench.reporting.lines import DEFAULT_METRIC
from dfbench.reporting.overlap import Series, Sweep, sweeps
from dfbench.reporting.query_groups import ALL, GROUPS, group_chance
from dfbench.reporting.roles import remarks
from dfbench.reporting.tables.layout import Layout

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
    around = list(_surroundings(sweep, metric, group))
    return Layout(
        title=f"{sweep.dataset}, {sweep.protocol}, {metric_title(metric)}: {_QUERIES[group]}",
        header=("method", *(f"{o:g}" for o in sweep.overlaps)),
        rows=(*(_row(sweep, one, metric, group) for one in shown), *around),
        notes=tuple(_notes(sweep, metric)),
        content=_content(sweep, metric, group),
        sections=(*((name, len(found)) for name, found in sections.items()), ("", len(around))),
    )


def _row(sweep: Sweep, series: Series, metric: str, group: str) -> tuple[str, ...]:
    """Means over seeds, with the number of seeds if other methods have more."""
    cells = []
    for overlap in sweep.overlaps:
        values = series.values(overlap, metric, group)
        fewer = f" ({len(values)})" if len(values) < sweep.seeds(overlap) else ""
        cells.append(short(fmean(values)) + fewer if values else NONE)
    return (series.name, *cells)


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
    definition = sweep.series[0].first.definitions[metric]
    yield _PROTOCOLS[sweep.protocol]
    yield (
        "every query ranks the whole gallery; mean over seeds, (n) marks a mean over only n seeds "
        "(deviations: --format csv)"
    )
    yield f"{metric_title(metric)}: {definition.formula}"
    yield from remarks(one.first for one in sweep.series)
    came_out = {o: _came_out(sweep, o) for o in sweep.overlaps}
    other = [f"{o:g}: {short(out)}" for o, out in came_out.items() if abs(o - out) > _TOLERANCE]
    if other:
        yield f"actual share of the union, where it differs: {', '.join(other)}"


def _came_out(sweep: Sweep, overlap: float) -> float:
    divisions = [record.division for record in sweep.records(overlap)]
    return fmean(division.overlap if division else 1.0 for division in divisions)


def _content(sweep: Sweep, metric: str, group: str) -> dict[str, Any]:
    return {
        "dataset": sweep.dataset,
        "scenario": sweep.protocol,
        "queries": group,
        "metric": metric,
        "overlaps": {f"{o:g}": _conditions(sweep, o, group) for o in sweep.overlaps},
        "rows": [
            {
                "section": section,
                "method": one.first.method.label,
                "name": one.name,
                "needs": list(one.first.method.needs),
                "values": {f"{o:g}": one.values(o, metric, group) for o in sweep.overlaps},
                "posterior": {
                    f"{o:g}": one.values(o, metric, group, "posterior") for o in sweep.overlaps
                },
            }
            for section, found in sweep.sections.items()
            for one in found
        ],
    }


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
