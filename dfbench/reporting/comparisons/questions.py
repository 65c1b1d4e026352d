"""The questions of the results page about one dataset and scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dfbench.identity import canonical_json
from dfbench.records.record import Record
from dfbench.reporting.cells import NONE, short, signed
from dfbench.reporting.comparisons.comparison import Representation, Wanted, has
from dfbench.reporting.lines import DEFAULT_METRIC, Line, lines, setting_key
from dfbench.reporting.naming import Usual, listed, newest_versions, surroundings
from dfbench.reporting.published import DataPair, Paper, Published, papers
from dfbench.reporting.roles import (
    REFERENCE,
    SECTIONS,
    extensions_of,
    is_variant_of,
    roles,
    section_of,
)

POSTERIOR = "posterior"
REPRESENTATIONS = ("", POSTERIOR)
TITLES = ("features", POSTERIOR)
"""Names of the representations, in columns."""
Cell = str | Wanted


@dataclass(frozen=True)
class Question:
    """A small table: names and comparisons, with published numbers where there are any."""

    title: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    sections: tuple[tuple[str, int], ...] = ()

    @property
    def wanted(self) -> Iterator[Wanted]:
        """Its comparisons that mean something."""
        for cell in (cell for row in self.rows for cell in row):
            if isinstance(cell, Wanted) and cell.seeds and cell.value is not None:
                yield cell


@dataclass(frozen=True)
class ComparableLines:
    """Lines of one table that can be compared: of one budget, recipe and numerics."""

    lines: tuple[Line, ...]
    marks: str
    """The settings in which it differs from the usual condition; empty for that one."""
    settings: str
    """Its values of all settings in which conditions of the table differ."""
    usual: Usual

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.lines[0].first.data.name

    @property
    def scenario(self) -> str:
        """Which classes the teachers know, and which are queried."""
        return self.lines[0].first.scenario

    @property
    def place(self) -> str:
        """Dataset, scenario and marks, as a title."""
        marks = f" ({self.marks})" if self.marks else ""
        return f"{self.dataset}, {self.scenario}{marks}"

    def of(self, label: str) -> list[Line]:
        """The lines of a label, or the one with this name."""
        return [line for line in self.lines if label in line.names]

    def missing(self, labels: Iterable[str]) -> tuple[str, ...]:
        """A note on labels without records; none if there are all."""
        absent = [label for label in dict.fromkeys(labels) if not self.of(label)]
        return (f"no record of {', '.join(absent)}",) if absent else ()


def conditions(table: Sequence[Record]) -> list[ComparableLines]:
    """The conditions of a table, the usual one first; newest versions of methods only."""
    usual = Usual.of(table)
    groups: dict[str, list[Record]] = {}
    for record in newest_versions(table):
        groups.setdefault(canonical_json(surroundings(record)), []).append(record)
    main = canonical_json(usual.surroundings)
    ordered = sorted(groups, key=lambda key: (key != main, -len(groups[key]), key))
    return [
        ComparableLines(
            lines=tuple(lines(groups[key], usual=usual, placed=True)),
            marks=usual.marks(groups[key][0]),
            settings=listed(surroundings(groups[key][0]), usual.varied_surroundings),
            usual=usual,
        )
        for key in ordered
    ]


def questions(condition: ComparableLines) -> list[Question]:
    """All questions of a condition; one without an answer says which methods are missing.

    Only the usual condition of a table has questions without an answer.

    Questions about a method that a paper proposes need a record of it or of one of its variants.
    """
    asked: list[Question] = []
    for paper in papers():
        if paper.proposes is not None:
            asked += _of_proposal(condition, paper, paper.proposes)
    asked += _further_ablations(condition)
    asked.append(_bar(condition))
    asked += data_questions(condition)
    return [question for question in asked if question.rows or not condition.marks]


def data_questions(condition: ComparableLines) -> list[Question]:
    """How far objectives without data are from the same with data; none without such pairs."""
    twins = _twins(condition)
    return [_data(condition, twins)] if twins else []


def _of_proposal(condition: ComparableLines, paper: Paper, proposed: str) -> Iterator[Question]:
    """Baselines and data-dependent twin of a paper's method and its extensions, and ablations."""
    extensions = _unchanged(condition, extensions_of(proposed))
    subjects = _unchanged(condition, [proposed])
    if not subjects and any(is_variant_of(x.first.method, proposed) for x in condition.lines):
        title = f"Baselines and ablations of {proposed}"
        yield Question(title, notes=condition.missing([proposed]))
    for subject in [*subjects, *extensions]:
        yield _baselines(condition, paper, subject)
        for pair in paper.twins:
            if pair.free == proposed:
                yield _share(condition, paper, subject, pair)
    for subject in subjects:
        yield _ablations(condition, subject)


def _unchanged(condition: ComparableLines, labels: Iterable[str]) -> list[Line]:
    """The lines of the labels in their usual configurations."""
    found = [line for label in labels for line in condition.of(label)]
    return [line for line in found if not condition.usual.is_changed(line.first)]


def _baselines(condition: ComparableLines, paper: Paper, subject: Line) -> Question:
    title = f"Does {subject.name} outperform each published baseline?"
    own = subject.label == paper.proposes
    printed = paper.on(condition.dataset, condition.scenario) if own else {}
    rows: list[tuple[Cell, ...]] = []
    for line in _baseline_lines(condition, paper):
        cells = (line.name, *_by_representation(subject, line))
        rows.append((*cells, _printed_gap(printed, subject, line)) if printed else cells)
    if not rows:
        return Question(title, notes=condition.missing(paper.baselines))
    return Question(
        title=title,
        header=("baseline", *TITLES, *(["published"] if printed else [])),
        rows=tuple(rows),
        notes=(f"{subject.name} minus the baseline", *condition.missing(paper.baselines)),
    )


def _baseline_lines(condition: ComparableLines, paper: Paper) -> list[Line]:
    """The baselines of a paper, each with its variants: the strongest form of each counts."""
    return [
        line
        for name in paper.baselines
        for line in condition.lines
        if line.first.method.name == name and section_of(line.first.method) != REFERENCE
    ]


def _printed_gap(printed: Mapping[str, Published], subject: Line, baseline: Line) -> str:
    ours, theirs = (printed.get(line.label) for line in (subject, baseline))
    if ours is None or theirs is None:
        return NONE
    return signed(ours.values[DEFAULT_METRIC] - theirs.values[DEFAULT_METRIC])


def _share(condition: ComparableLines, paper: Paper, subject: Line, pair: DataPair) -> Question:
    title = (
        f"How much of the gap between the best baseline and {pair.data} does {subject.name} close?"
    )
    baselines = _baseline_lines(condition, paper)
    if not baselines or not condition.of(pair.data):
        lacking = [pair.data, *([] if baselines else paper.baselines)]
        return Question(title, notes=condition.missing(lacking))
    rows: list[tuple[Cell, ...]] = []
    for representation, name in zip(REPRESENTATIONS, TITLES, strict=True):
        best = _best([_read(line, representation) for line in baselines])
        for twin in condition.of(pair.data):
            if has(subject, DEFAULT_METRIC, representation) and has(
                twin, DEFAULT_METRIC, representation
            ):
                sides = (
                    Representation(subject, representation),
                    Representation(twin, representation),
                    best,
                )
                rows.append((name, best.line.name, Wanted("share", sides)))
    printed = [
        f"published on {dataset}: {short(_printed_share(paper, dataset, both))}"
        for dataset, both in pair.printed.items()
        if subject.label == pair.free
    ]
    return Question(
        title=title,
        header=("representation", "best baseline", "share of the gap"),
        rows=tuple(rows),
        notes=(
            f"({subject.name} - best baseline) / ({pair.data} - best baseline); the best baseline "
            "is ahead over the seeds that two baselines have in common",
            *printed,
            *condition.missing(paper.baselines),
        ),
    )


def _printed_share(paper: Paper, dataset: str, both: tuple[float, float]) -> float:
    with_data, without = both
    rows = paper.rows[dataset]
    best = max(rows[name].values[DEFAULT_METRIC] for name in paper.baselines if name in rows)
    return (without - best) / (with_data - best)


def variants_of(condition: ComparableLines, subject: Line) -> list[Line]:
    """The lines of a method with other settings, by name or not.

    The method itself with other settings counts as much as its named variants. A named variant
    has none but itself with other settings. None of a line that is not in its usual configuration.
    """
    if condition.usual.is_changed(subject.first):
        return []
    own = setting_key(subject.first)
    return [
        line
        for line in condition.lines
        if (
            subject.first.method.variant is None and is_variant_of(line.first.method, subject.label)
        )
        or (line.label == subject.label and setting_key(line.first) != own)
    ]


def _further_ablations(condition: ComparableLines) -> Iterator[Question]:
    """Ablations of the methods that no paper here proposes."""
    proposed = {paper.proposes for paper in papers()}
    for line in condition.lines:
        if line.label not in proposed and variants_of(condition, line):
            yield _ablations(condition, line)


def _ablations(condition: ComparableLines, subject: Line) -> Question:
    title = f"What does each change to {subject.name} cost?"
    variants = variants_of(condition, subject)
    if not variants:
        return Question(title, notes=(f"no record of a variant of {subject.label}",))
    return Question(
        title=title,
        header=("variant", *TITLES),
        rows=tuple((line.name, *_by_representation(line, subject)) for line in variants),
        notes=(f"the variant minus {subject.name}",),
    )


def _bar(condition: ComparableLines) -> Question:
    label = roles().bar
    bars = condition.of(label)
    if not bars:
        return Question(f"Does any method outperform {label}?", notes=condition.missing([label]))
    bar = bars[0]
    if len(condition.lines) == 1:
        return Question(
            f"Does any method outperform {bar.name}?", notes=("no record of another method",)
        )
    by_section: dict[str, list[tuple[Cell, ...]]] = {name: [] for name in SECTIONS}
    for line in condition.lines:
        if line is not bar:
            row = (line.name, *_by_representation(line, bar))
            by_section[section_of(line.first.method)].append(row)
    return Question(
        title=f"Does any method outperform {bar.name}?",
        header=("method", *TITLES),
        rows=tuple(row for rows in by_section.values() for row in rows),
        notes=(f"the method minus {bar.name}",),
        sections=tuple((name, len(rows)) for name, rows in by_section.items() if rows),
    )


def _twins(condition: ComparableLines) -> list[DataPair]:
    """Pairs that papers name, those of extensions, and objectives on generated and on real pairs.

    None without a record of either side of any pair.
    """
    named = {pair.free: pair for paper in papers() for pair in paper.twins}
    for pair in [*named.values()]:
        for extension in extensions_of(pair.free):
            if condition.of(extension):
                named[extension] = DataPair(extension, pair.data)
    for line in condition.lines:
        row = line.first.method
        if row.pairs_of is not None and row.label not in named and _has_data(condition, row.name):
            named[row.label] = DataPair(row.label, row.name)
    sides = {label for pair in named.values() for label in (pair.free, pair.data)}
    return list(named.values()) if any(x.label in sides for x in condition.lines) else []


def _has_data(condition: ComparableLines, label: str) -> bool:
    """Whether every record of a method trains on real images."""
    sections = {section_of(line.first.method) for line in condition.of(label)}
    return sections <= {REFERENCE}


def _data(condition: ComparableLines, twins: list[DataPair]) -> Question:
    rows: list[tuple[Cell, ...]] = []
    for pair in twins:
        for free in _unchanged(condition, [pair.free]):
            for data in _unchanged(condition, [pair.data]):
                rows += _twin_rows(pair, free, data)
    labels = [label for pair in twins for label in (pair.data, pair.free)]
    return Question(
        title="How far is data-free from data-dependent training?",
        header=("with data", "without data", "representation", "difference", "ratio", "published"),
        rows=tuple(rows),
        notes=(
            "difference: with data minus without data; ratio: without data / with data",
            "published: printed difference and ratio of the same objectives, with their dataset",
            *condition.missing(labels),
        )
        if rows
        else condition.missing(labels),
    )


def _twin_rows(pair: DataPair, free: Line, data: Line) -> Iterator[tuple[Cell, ...]]:
    printed = [
        f"{signed(with_data - without)}, {short(without / with_data)} ({dataset})"
        for dataset, (with_data, without) in pair.printed.items()
    ]
    for representation, name in zip(REPRESENTATIONS, TITLES, strict=True):
        with_data, without = _read(data, representation), _read(free, representation)
        if with_data.representation == without.representation == representation:
            yield (
                data.name,
                free.name,
                name,
                Wanted("difference", (with_data, without)),
                Wanted("ratio", (without, with_data)),
                "" if representation else "; ".join(printed) or NONE,
            )


def _by_representation(first: Line, second: Line) -> tuple[Cell, Cell]:
    """First minus second by features and by posterior; the headline where there is no posterior."""
    features = Wanted("difference", (Representation(first), Representation(second)))
    sides = (_read(first, POSTERIOR), _read(second, POSTERIOR))
    return features, Wanted("difference", sides) if sides[0].representation else NONE


def _read(line: Line, representation: str) -> Representation:
    """The representation of a line, or its headline where it has no other."""
    return Representation(line, representation if has(line, DEFAULT_METRIC, representation) else "")


def _best(sides: Sequence[Representation]) -> Representation:
    """The side ahead of each that it was compared with, over common seeds; most seeds first."""
    best, *others = sorted(sides, key=lambda side: -len(side.by_seed))
    for side in others:
        gain = Wanted("difference", (side, best))
        if gain.seeds and (gain.value or 0.0) > 0:
            best = side
    return best
