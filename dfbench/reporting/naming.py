"""Names of table rows: the title of the method, with the settings that are not the usual ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfbench.identity import canonical_json
from dfbench.records.record import Record

Settings = Mapping[str, Any]


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


def differing(settings: Sequence[Settings]) -> list[str]:
    """The keys that some of the settings lack or whose values are not all equal, sorted."""
    keys = {key for setting in settings for key in setting}
    return sorted(key for key in keys if len({repr((key in s, s.get(key))) for s in settings}) > 1)


def listed(settings: Settings, keys: Iterable[str]) -> str:
    """These settings in one line, e.g. `numerics=cuda-fp32, budget.steps=9`."""
    return ", ".join(f"{key}={settings.get(key, '(none)')}" for key in keys)


def newest_versions(records: Iterable[Record]) -> list[Record]:
    """The records of the newest version of each method."""
    records = list(records)
    newest: dict[str, int] = {}
    for record in records:
        newest[record.method.label] = max(newest.get(record.method.label, 0), record.method.version)
    return [r for r in records if r.method.version == newest[r.method.label]]


@dataclass(frozen=True)
class Usual:
    """The settings of most records of a table, which its names leave out."""

    surroundings: Settings
    configs: Mapping[str, Settings]
    """By label; without labels that have no configuration with more records than any other."""
    varied: Mapping[str, list[str]]
    """By label, the keys in which its configurations differ."""
    varied_surroundings: list[str]
    """The keys of the surroundings that differ between records and that names state."""

    @classmethod
    def of(cls, records: Iterable[Record], by_dataset: Collection[str] = ()) -> Usual:
        """The usual settings of some records, of the newest version of each method.

        Names do not state surroundings in `by_dataset`.
        """
        newest = newest_versions(records)
        around = [surroundings(record) for record in newest]
        of_label: dict[str, list[Settings]] = {}
        for record in newest:
            of_label.setdefault(record.method.label, []).append(record.method.config)
        frequent = {label: _most_frequent(configs) for label, configs in of_label.items()}
        return cls(
            surroundings=_most_frequent(around)[0] if around else {},
            configs={label: found[0] for label, found in frequent.items() if len(found) == 1},
            varied={label: differing(configs) for label, configs in of_label.items()},
            varied_surroundings=[key for key in differing(around) if key not in by_dataset],
        )

    def changes(self, record: Record) -> str:
        """The settings of the method that are not usual; all that vary if none is usual."""
        label, config = record.method.label, record.method.config
        usual = self.configs.get(label)
        return listed(
            config, self.varied.get(label, []) if usual is None else differing([config, usual])
        )

    def is_changed(self, record: Record) -> bool:
        """Whether the method has a usual configuration, and this is another."""
        usual = self.configs.get(record.method.label)
        return usual is not None and bool(differing([record.method.config, usual]))

    def marks(self, record: Record) -> str:
        """The surroundings that are not usual."""
        own = surroundings(record)
        keys = differing([own, self.surroundings])
        return listed(own, [key for key in keys if key in self.varied_surroundings])

    def notes(self, records: Iterable[Record]) -> Iterator[str]:
        """The usual settings, where any of the records has others."""
        titles = {record.method.label: record.method.display_title for record in records}
        stated = "unless a row name states otherwise"
        if self.varied_surroundings:
            yield f"{stated}: {listed(self.surroundings, self.varied_surroundings)}"
        for label, config in self.configs.items():
            if self.varied[label] and label in titles:
                yield f"{titles[label]}, {stated}: {listed(config, self.varied[label])}"


def _most_frequent(settings: Sequence[Settings]) -> list[Settings]:
    """The most frequent settings; several if they are equally frequent."""
    by_text = {canonical_json(one): one for one in settings}
    counts = Counter(canonical_json(one) for one in settings)
    most = max(counts.values())
    return [by_text[text] for text in sorted(counts) if counts[text] == most]
