"""Grouping of records: tables of comparable records, lines over seeds, re-ranked scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from dfbench.identity import canonical_json
from dfbench.records.record import Record
from dfbench.reporting.cells import short
from dfbench.reporting.naming import Usual, surroundings

DEFAULT_METRIC = "map@all"


@dataclass(frozen=True)
class Line:
    """The records of one method, configuration and dataset, one per seed: one table row."""

    name: str
    """Title of the method, with the settings that distinguish it from its other lines."""
    records: tuple[Record, ...]
    full_name: str = ""
    """The name in the table of all records, which also states the surroundings."""

    @property
    def first(self) -> Record:
        """Any of the records, for what they have in common."""
        return self.records[0]

    @property
    def label(self) -> str:
        """Label of the method."""
        return self.first.method.label

    @property
    def names(self) -> tuple[str, ...]:
        """What selects it: its label, and its names in tables, which also state its settings."""
        return self.label, self.name, self.full_name or self.name

    @property
    def by_seed(self) -> dict[int, Record]:
        """The records by seed, ascending."""
        return {record.seed: record for record in self.records}

    @classmethod
    def of(cls, name: str, records: Iterable[Record]) -> Line:
        """The line of the records of one setting: the last record of each seed, by seed."""
        by_seed = {record.seed: record for record in records}
        return cls(name, tuple(by_seed[seed] for seed in sorted(by_seed)))

    def values(self, metric: str, representation: str = "", reranker: str = "") -> list[float]:
        """The metric for each seed; empty if the line lacks the representation.

        `reranker` is the label of a re-ranking; seeds without it are left out. Without one, scores
        are those of the plain ranking.
        """
        sources = [
            r.reranked[reranker] if reranker else r
            for r in self.records
            if not reranker or reranker in r.reranked
        ]
        scores = [
            one.representations.get(representation, {}) if representation else one.metrics
            for one in sources
        ]
        return [score[metric].value for score in scores if metric in score]


def tables(records: Iterable[Record]) -> list[list[Record]]:
    """Records grouped by dataset, scenario and data fingerprint: one group per table."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        key = (record.data.name, record.scenario_title, record.data.fingerprint)
        groups.setdefault(key, []).append(record)
    return [groups[key] for key in sorted(groups)]


def lines(
    records: Iterable[Record],
    metric: str = DEFAULT_METRIC,
    *,
    usual: Usual | None = None,
    placed: bool = False,
) -> list[Line]:
    """The lines of one table, best mean of the metric first.

    Names leave out what is `usual`, by default in these records. With `placed`, the surroundings
    of all records are the same and stated elsewhere, and names leave them out.
    """
    records = list(records)
    usual = usual or Usual.of(records)
    by_setting: dict[str, dict[int, Record]] = {}
    for record in records:
        by_setting.setdefault(setting_key(record), {})[record.seed] = record
    groups = [tuple(seeds[s] for s in sorted(seeds)) for seeds in by_setting.values()]
    by_label: dict[str, list[tuple[Record, ...]]] = {}
    for group in groups:
        by_label.setdefault(group[0].method.label, []).append(group)
    found = [
        _line(group, siblings, usual, placed=placed)
        for siblings in by_label.values()
        for group in siblings
    ]
    return sorted(found, key=lambda line: -fmean(line.values(metric) or [-1.0]))


def official_notes(records: Iterable[Record]) -> list[str]:
    """Identity, accuracy and provenance of official teachers, one line a seed."""
    found = {}
    for record in records:
        parts = [(m, t, t.official) for m, t in sorted(record.teachers.items())]
        if record.official:
            told = ", ".join(f"{m} {t.identity[:12]} ({short(t.accuracy)})" for m, t, _ in parts)
            made = next(official.provenance for *_, official in parts if official)
            by = f"{made.get('command', 'unknown')}, commit {made.get('commit', 'unknown')[:8]}"
            found[record.seed] = f"official teachers of seed {record.seed}: {told}; {by}"
    return [found[seed] for seed in sorted(found)]


def setting_key(record: Record) -> str:
    """Equal for records that share method, configuration and surroundings and differ in seed."""
    method = record.method
    return canonical_json([method.label, method.version, method.config, surroundings(record)])


def _line(
    group: tuple[Record, ...], siblings: Sequence[tuple[Record, ...]], usual: Usual, *, placed: bool
) -> Line:
    record = group[0]
    versions = {sibling[0].method.version for sibling in siblings}
    version = f"version={record.method.version}" if len(versions) > 1 else ""
    parts = [usual.changes(record), version]
    full = _named(record, [*parts, usual.marks(record)])
    return Line(_named(record, parts) if placed else full, group, full)


def _named(record: Record, parts: Iterable[str]) -> str:
    settings = ", ".join(filter(None, parts))
    title = record.method.display_title
    return f"{title} ({settings})" if settings else title


MARK = "*"
"""Follows the name of a re-ranker wherever its scores are printed."""


def reranker_labels(records: Iterable[Record]) -> list[str]:
    """The re-rankers of any of the records, in the order of their first."""
    return list(dict.fromkeys(label for record in records for label in record.reranked))


def reranking_notes(records: Iterable[Record]) -> Iterator[str]:
    """What the mark means, and what each re-ranker computes."""
    records = list(records)
    labels = reranker_labels(records)
    if labels:
        yield (
            f"{MARK} re-ranked with all photos of the gallery at once (transductive); not to be "
            "compared with the other scores"
        )
    for label in labels:
        one = next(r.reranked[label] for r in records if label in r.reranked).reranker
        settings = ", ".join(f"{key} {value}" for key, value in one.config.items())
        yield f"{label} {MARK}: {one.definition}" + (f"; {settings}" if settings else "")
