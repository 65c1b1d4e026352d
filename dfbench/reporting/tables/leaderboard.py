"""Leaderboards: one table per dataset and scenario, with mean and standard deviation over seeds.

Groups of queries (classes known to both teachers, or to one) have their own columns if the records
distinguish them. Published zero-shot results on the same unseen classes follow in a section.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from dfbench.records.record import Record
from dfbench.reporting.cells import NONE, metric_title, short, signed, span
from dfbench.reporting.lines import (
    MARK,
    Line,
    lines,
    official_notes,
    reranker_labels,
    reranking_notes,
    tables,
)
from dfbench.reporting.naming import Usual
from dfbench.reporting.overlap import group_notes, group_values, query_groups
from dfbench.reporting.published import (
    ZERO_SHOT,
    Published,
    ZeroShot,
    elsewhere,
    printed_notes,
    published,
)
from dfbench.reporting.roles import SECTIONS, remarks, section_of
from dfbench.reporting.tables.columns import (
    NAMES,
    SCORES,
    SEEDS,
    WORDS,
    Column,
    Kind,
    Part,
    Table,
    family,
)
from dfbench.reporting.tables.layout import Layout, Typed

HEADLINE = ("map@all", "prec@200")
_POSTERIOR = "posterior"


def leaderboards(records: Iterable[Record], metrics: Sequence[str] = HEADLINE) -> list[Layout]:
    """One table per data fingerprint and scenario.

    Methods without training, trained methods and references with data form separate sections, each
    sorted by the mean of the first metric.
    """
    return [_leaderboard(table, metrics) for table in tables(records)]


def table_title(record: Record) -> str:
    """The title of the table that contains a record."""
    return f"{record.data.name}, {record.scenario_title}, {len(record.data.classes)} classes"


@dataclass(frozen=True)
class _Entry:
    """A method that was run, or a result that others printed for the same classes."""

    section: str
    name: str
    method: str
    line: Line | None = None
    printed: Published | ZeroShot | None = None
    """What a paper printed for the method, or for another one."""

    @property
    def records(self) -> tuple[Record, ...]:
        """Those of its seeds; none of a result of others."""
        return self.line.records if self.line else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """What the method uses beyond two teachers, as far as its records tell."""
        return self.line.first.method.needs if self.line else ()

    def scores(self, metric: str, representation: str = "") -> list[float] | None:
        """The metric on each seed; None where the method has no such representation or metric."""
        if self.line is None:
            return None
        first, values = self.line.first, self.line.values(metric, representation)
        has_it = not representation or representation in first.representations
        return values if values or (has_it and metric in first.metrics) else None

    def group_scores(self, group: str, metric: str) -> list[float] | None:
        """The metric of a group of queries on each seed; None where they are not told apart."""
        if self.line is None or group not in query_groups(self.records):
            return None
        return group_values(self.line, group, metric)

    def reranked(self, label: str, metric: str, representation: str = "") -> list[float] | None:
        """The metric after a re-ranking on each seed; None where there is none."""
        if self.line is None:
            return None
        return self.line.values(metric, representation, label) or None

    def differences(self, metrics: Sequence[str]) -> dict[str, float] | None:
        """Mean over seeds less the printed number, by metric; None without printed numbers."""
        if self.line is None or self.printed is None:
            return None
        line, printed = self.line, self.printed.values
        return {m: fmean(line.values(m)) - printed[m] for m in metrics if m in printed}


_Columns = list[Column[_Entry]]


def _leaderboard(records: list[Record], metrics: Sequence[str]) -> Layout:
    first = records[0]
    reported = published(first.data.name, first.scenario_title)
    others = elsewhere(first)
    sections: dict[str, list[_Entry]] = {name: [] for name in (*SECTIONS, ZERO_SHOT)}
    for line in lines(records, metrics[0]):
        name = section_of(line.first.method)
        paper = None if line.first.method.variant else reported.get(line.first.method.name)
        sections[name].append(_Entry(name, line.name, line.label, line, paper))
    for one in others:
        sections[ZERO_SHOT].append(_Entry(ZERO_SHOT, one.name, one.method, printed=one))
    shown, columns = _columns(records, metrics)
    shown = shown[: len(shown) - (0 if reported else 1 if others else 2)]
    return Table(tuple(columns), tuple(shown), sections).layout(
        table_title(first),
        [*_notes(records, metrics, reported), *group_notes(records), *printed_notes(others)],
        {
            "dataset": first.data.name,
            "scenario": first.scenario,
            "chance": first.chance,
            "definitions": {
                name: definition.model_dump() for name, definition in first.definitions.items()
            },
        },
    )


def _columns(records: list[Record], metrics: Sequence[str]) -> tuple[_Columns, _Columns]:
    """Those that are printed, what others printed and the difference to it last; and all."""
    data, scenario = records[0].data.name, records[0].scenario
    name: Column[_Entry] = Column(lambda e: e.name, WORDS, "method", ("name",), "name")
    needs: Column[_Entry] = Column(lambda e: e.needs, NAMES, "needs", ("needs",), "needs")
    seeds: Column[_Entry] = Column(
        lambda e: [r.seed for r in e.records], SEEDS, "seeds", ("seeds",), "seeds"
    )
    scores = dict(_score_columns(records, metrics))
    groups = dict(_group_columns(records, metrics))
    reranked = dict(_reranked_columns(records, metrics))
    published_ones: _Columns = [
        Column(lambda e: e.printed, _printed(metrics), "published", ("published",), "published"),
        Column(lambda e: e.differences(metrics), _DIFFERENCES, "difference", ("difference",)),
    ]
    shown = [
        name,
        *(scores["", metric] for metric in metrics),
        scores[_POSTERIOR, metrics[0]],
        *(groups[group, metrics[0]] for group in query_groups(records)),
        *(reranked[label, "", metrics[0]] for label in reranker_labels(records)),
        *(seeds, needs, *published_ones),
    ]
    columns: _Columns = [
        Column(lambda _: data, WORDS, field="dataset"),
        Column(lambda _: scenario, WORDS, field="scenario"),
        Column(lambda e: e.section, WORDS, key=("section",), field="section"),
        Column(lambda e: e.method, WORDS, key=("method",), field="method"),
        *(name, needs, seeds),
        *(family("metrics"), family("representations"), *scores.values()),
        *(family("groups"), *groups.values(), *reranked.values(), *published_ones),
        Column(_splits, NAMES, key=("splits",), optional=True),
        Column(lambda e: [r.eval_id for r in e.records], NAMES, key=("records",)),
    ]
    return shown, columns


def _score_columns(
    records: Sequence[Record], metrics: Sequence[str]
) -> Iterator[tuple[tuple[str, str], Column[_Entry]]]:
    """By representation and metric: all that any record has, and what is printed."""
    representations = dict.fromkeys(name for r in records for name in r.representations)
    shown = {("", metric) for metric in metrics} | {(_POSTERIOR, metrics[0])}
    for representation in ("", *dict.fromkeys([*representations, _POSTERIOR])):
        for metric in _all_metrics(records, metrics):
            place = ("representations", representation) if representation else ("metrics",)
            yield (
                (representation, metric),
                Column(
                    partial(_Entry.scores, metric=metric, representation=representation),
                    SCORES,
                    representation or metric_title(metric),
                    (*place, metric),
                    f"{representation} {metric}".strip(),
                    ranked=(representation, metric) in shown,
                ),
            )


def _group_columns(
    records: Sequence[Record], metrics: Sequence[str]
) -> Iterator[tuple[tuple[str, str], Column[_Entry]]]:
    """By group of queries and metric."""
    for group in query_groups(records):
        for metric in _all_metrics(records, metrics):
            value = partial(_Entry.group_scores, group=group, metric=metric)
            key = ("groups", group, metric)
            yield (group, metric), Column(value, SCORES, group, key, f"{group} {metric}")


def _reranked_columns(
    records: Sequence[Record], metrics: Sequence[str]
) -> Iterator[tuple[tuple[str, str, str], Column[_Entry]]]:
    """By re-ranker, representation and metric."""
    for label in reranker_labels(records):
        found = [r.reranked[label] for r in records if label in r.reranked]
        for representation in ("", *dict.fromkeys(n for one in found for n in one.representations)):
            place = ("representations", representation) if representation else ("metrics",)
            for metric in _all_metrics(records, metrics):
                name = f"{label} {MARK} {representation}".strip()
                yield (
                    (label, representation, metric),
                    Column(
                        partial(
                            _Entry.reranked,
                            label=label,
                            metric=metric,
                            representation=representation,
                        ),
                        SCORES,
                        f"{label} {MARK}",
                        ("reranked", label, *place, metric),
                        f"{name} {metric}",
                    ),
                )


def _all_metrics(records: Iterable[Record], metrics: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(name for r in records for name in r.metrics), *metrics]))


def _splits(entry: _Entry) -> tuple[str, ...] | None:
    return entry.printed.splits if isinstance(entry.printed, ZeroShot) else None


def _printed(metrics: Sequence[str]) -> Kind[Published | ZeroShot]:
    """Printed numbers with their source; those of a paper's own table in these metrics alone."""

    def text(printed: Published | ZeroShot) -> str:
        values = printed.values
        if isinstance(printed, ZeroShot):
            return ", ".join(f"{short(value)} {metric_title(m)}" for m, value in values.items())
        return " / ".join(short(values[m]) for m in metrics if m in values) or NONE

    return Kind(
        text=text,
        content=lambda printed: {"source": printed.source, **printed.values},
        parts=lambda printed: (
            Part("source", Typed(printed.source, "string")),
            *(Part(metric, Typed(v, "float64")) for metric, v in printed.values.items()),
        ),
    )


_DIFFERENCES: Kind[Mapping[str, float]] = Kind(
    text=lambda gaps: " / ".join(map(signed, gaps.values())) or NONE, content=dict
)


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
    notes += Usual.of(records).notes(records)
    notes += official_notes(records)
    for name in metrics:
        scored = next((record for record in records if name in record.metrics), None)
        if scored is not None:
            ceiling = scored.metrics[name].ceiling
            limited = ceiling is not None and ceiling < 1
            limit = f" (at most {short(ceiling)} here)" if ceiling is not None and limited else ""
            notes.append(f"{metric_title(name)}: {scored.definitions[name].formula}{limit}")
    notes.append("mean ± standard deviation over seeds")
    notes += remarks(records)
    notes.append(
        f"posterior: {metric_title(metrics[0])} with the encoders' posteriors, sum_c p_c q_c"
    )
    notes += reranking_notes(records)
    if reported:
        sources = "; ".join(sorted({p.source for p in reported.values()}))
        notes.append(f"published: {sources}")
        notes.append(
            "difference: ours - published; the splits differ and no variance is published, so "
            "there is no verdict"
        )
    return notes
