"""Grouping of records: tables of comparable records, lines over seeds, re-ranked scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dfbench.identity import canonical_json
from dfbench.records.record import Record
from dfbench.reporting.cells import short

DEFAULT_METRIC = "map@all"


@dataclass(frozen=True)
class Line:
    """The records of one method, configuration and dataset, one per seed: one table row."""

    name: str
    """Title of the method, with the settings that distinguish it from its other lines."""
    records: tuple[Record, ...]

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
        """What selects it: its label, and its name in tables, which also tells its settings."""
        return self.label, self.name

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
    records: Iterable[Record], metric: str = DEFAULT_METRIC, *, untold: Collection[str] = ()
) -> list[Line]:
    """The lines of one table, best mean of the metric first.

    Names do not tell the settings in `untold`.
    """
    records = list(records)
    by_setting: dict[str, dict[int, Record]] = {}
    for record in records:
        by_setting.setdefault(setting_key(record), {})[record.seed] = record
    groups = [tuple(seeds[s] for s in sorted(seeds)) for seeds in by_setting.values()]
    by_label: dict[str, list[tuple[Record, ...]]] = {}
    for group in groups:
        by_label.setdefault(group[0].method.label, []).append(group)
    usual = usual_surroundings(records)
    found = [
        Line(name, group)
        for siblings in by_label.values()
        for name, group in zip(_names(siblings, usual, untold), siblings, strict=True)
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


def surroundings(record: Record) -> dict[str, Any]:
    """The settings besides data and seed that methods must share to be comparable."""
    return {
        "numerics": record.numerics,
        "alternative": record.data.alternative,
        **{f"budget.{k}": v for k, v in record.budget.model_dump(mode="json").items()},
        **{f"teachers.{k}": v for k, v in record.recipe.model_dump(mode="json").items()},
        **{
            f"{modality} teacher": f"{teacher.external}, {teacher.identity[:12]}"
            for modality, teacher in record.teachers.items()
            if teacher.external
        },
        **({"teachers": "trained in place of official ones"} if record.train_teachers else {}),
    }


def usual_surroundings(records: Iterable[Record]) -> dict[str, Any]:
    """The surroundings of most records of a table: those that names of lines leave out."""
    found = {canonical_json(one): one for one in map(surroundings, records)}
    counts = Counter(canonical_json(surroundings(record)) for record in records)
    return found[counts.most_common(1)[0][0]] if counts else {}


def marks(settings: dict[str, Any], usual: dict[str, Any], untold: Collection[str] = ()) -> str:
    """The settings that differ from the usual ones, e.g. `numerics=cuda-fp32`."""
    keys = [key for key in differing([settings, usual]) if key not in untold]
    return ", ".join(f"{key}={settings.get(key)}" for key in keys)


def differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """The keys whose values are not equal in all settings, sorted."""
    keys = {key for setting in settings for key in setting}
    return sorted(key for key in keys if len({repr(s.get(key)) for s in settings}) > 1)


def usual_notes(records: Sequence[Record], untold: Collection[str] = ()) -> Iterator[str]:
    """The surroundings that names of lines leave out although some lines have others."""
    found = [surroundings(record) for record in records]
    usual = usual_surroundings(records)
    keys = [key for key in differing(found) if key not in untold]
    if keys:
        told = ", ".join(f"{key}={usual.get(key)}" for key in keys)
        yield f"unless the name of a row says otherwise: {told}"


def setting_key(record: Record) -> str:
    """Equal for records that share method, configuration and surroundings and differ in seed."""
    return canonical_json(_settings(record))


def _settings(record: Record) -> dict[str, Any]:
    method = record.method
    return {
        "label": method.label,
        "version": method.version,
        **surroundings(record),
        **method.config,
    }


def _names(
    siblings: list[tuple[Record, ...]], usual: dict[str, Any], untold: Collection[str]
) -> list[str]:
    """Titles, with the surroundings that are not the usual ones.

    If one label has several configurations, also with what tells them apart: with the changes to
    the central configuration, which is named without any.
    """
    examples = [group[0] for group in siblings]
    configs = [record.method.config for record in examples]
    central = _central(configs)
    versions = {record.method.version for record in examples}
    names = []
    for record, config in zip(examples, configs, strict=True):
        told = differing([config, central] if central is not None else configs)
        parts = [f"{key}={config.get(key)}" for key in told]
        parts += [f"version={record.method.version}"] * (len(versions) > 1)
        parts += filter(None, [marks(surroundings(record), usual, untold)])
        title = record.method.display_title
        names.append(f"{title} ({', '.join(parts)})" if parts else title)
    return names


def _central(configs: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The configuration with the fewest changes to all others; None if no other has more.

    Of a method and its ablations, it is the method: each ablation changes one part of it.
    """
    distinct = list({canonical_json(config): config for config in configs}.values())
    changes = [sum(len(differing([one, other])) for other in distinct) for one in distinct]
    fewest = min(changes)
    return distinct[changes.index(fewest)] if changes.count(fewest) == 1 else None


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
