"""Scores of one model or of several as tables: overall, paired differences, classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from dfbench.evaluation.definitions import EXPECTED
from dfbench.evaluation.harness import Evaluation, Score
from dfbench.evaluation.models import ModelDifference, ModelEvaluations
from dfbench.evaluation.ranking.labels import Label
from dfbench.evaluation.report import definition_lines, size_line, skipped_lines, tie_lines
from dfbench.reporting.cells import metric_title, short, signed
from dfbench.reporting.tables.columns import WORDS, Column, Kind, Part, Table
from dfbench.reporting.tables.layout import Fields, Layout, Typed

_READING = (
    "A - B, means over the same queries [95 % interval of a paired bootstrap over queries]; better"
    " or worse if the interval excludes 0; the verdict is on these embeddings, not on models"
    " trained with other seeds"
)
_CLASSES = "mean over the queries of each class"
_SCORE: Kind[float] = Kind(
    text=short,
    parts=lambda value: (Part("", Typed(value, "float64")),),
)
_COUNT: Kind[int] = Kind(text=str, parts=lambda value: (Part("", Typed(value, "Int64")),))
_SHORT: Kind[tuple[float]] = Kind(
    text=lambda value: short(value[0]), content=lambda value: value[0]
)
"""A value that is compared with those of its column."""


class _Scored(NamedTuple):
    """A metric of one model."""

    metric: str
    score: Score
    ties: str
    model: str | None = None


class _Line(NamedTuple):
    """A model or a class with its values by column."""

    name: str
    values: Mapping[str, float]


def score_table(result: Evaluation) -> Layout:
    """All metrics of one model, with intervals, and their definitions as notes."""
    rows = [_scored(result, name) for name in result.scores]
    return Table(_SCORE_COLUMNS, _SHOWN, {"": rows}).layout(
        size_line(result),
        [*skipped_lines(result), *tie_lines(result), *definition_lines(result)],
        {},
    )


def model_tables(result: ModelEvaluations) -> list[Layout]:
    """Models by metrics, followed by the paired differences of each metric."""
    first = next(iter(result.models.values()))
    lines = [
        _Line(model, {metric: score.value for metric, score in one.scores.items()})
        for model, one in result.models.items()
    ]
    ties = [f"{model}: {x}" for model, one in result.models.items() for x in tie_lines(one)]
    scores = _table(
        "model",
        [(metric, metric_title(metric)) for metric in first.scores],
        lines,
        title=size_line(first),
        notes=[*skipped_lines(first), *ties, *definition_lines(first, metric_title)],
        fields=partial(_score_fields, result.models),
    )
    return [scores, *([_difference_table(result.differences)] if result.differences else [])]


def class_tables(models: Mapping[str, Evaluation], *, named: bool) -> list[Layout]:
    """Means over the queries of each class: each metric by models, or one unnamed by metrics."""
    (first, *_) = models.values()
    if not named:
        columns = [(metric, metric_title(metric)) for metric in first.scores]
        unnamed: Mapping[str | None, Evaluation] = {None: first}
        fields = partial(_class_fields, unnamed, None)
        return [_class_table("Classes", columns, first.per_class, fields)]
    return [
        _class_table(
            f"Classes, {metric_title(metric)}",
            [(model, model) for model in models],
            {model: one.per_class[metric] for model, one in models.items()},
            partial(_class_fields, models, metric),
        )
        for metric in first.scores
    ]


def _table(
    kind: str,
    columns: Iterable[tuple[str, str]],
    lines: Iterable[_Line],
    *,
    title: str,
    notes: Iterable[str],
    fields: Callable[[], Iterable[Fields]],
) -> Layout:
    """Values of `lines` by columns, given by name and heading; the best of each is marked."""
    named: tuple[Column[_Line], ...] = (
        Column(attrgetter("name"), WORDS, kind),
        *(Column(partial(_value, key), _SHORT, heading, ranked=True) for key, heading in columns),
    )
    made: Table[_Line] = Table(named, named, {"": list(lines)})
    return made.layout(title, list(notes), {}, fields=fields)


def _value(key: str, line: _Line) -> tuple[float]:
    return (line.values[key],)


def _class_table(
    title: str,
    columns: Iterable[tuple[str, str]],
    means: Mapping[str, Mapping[Label, float]],
    fields: Callable[[], Iterable[Fields]],
) -> Layout:
    classes = next(iter(means.values()))
    lines = [_Line(str(one), {key: by[one] for key, by in means.items()}) for one in classes]
    layout = _table("class", columns, lines, title=title, notes=[_CLASSES], fields=fields)
    # Classes are no rivals: only the best of a class would be worth marking.
    return replace(layout, ranks={})


def _score_fields(models: Mapping[str, Evaluation]) -> Iterator[Fields]:
    for model, one in models.items():
        for metric in one.scores:
            row = _scored(one, metric, model)
            yield {n: typed for column in _SCORE_COLUMNS for n, typed in column.fields(row)}


def _class_fields(
    models: Mapping[str | None, Evaluation] | Mapping[str, Evaluation], only: str | None
) -> Iterator[Fields]:
    """Classes of each model, which may have no name, in one metric or in all."""
    for model, result in models.items():
        for metric, means in result.per_class.items():
            for label, value in means.items() if only in (None, metric) else ():
                yield {
                    **({"model": Typed(model, "string")} if model is not None else {}),
                    "metric": Typed(metric, "string"),
                    "class": Typed(str(label), "string"),
                    "value": Typed(value, "float64"),
                }


def _difference_table(differences: Iterable[ModelDifference]) -> Layout:
    sections = {
        metric_title(metric): list(found)
        for metric, found in groupby(differences, key=attrgetter("metric"))
    }
    table: Table[ModelDifference] = Table(_DIFFERENCE_COLUMNS, _DIFFERENCES_SHOWN, sections)
    return table.layout("Differences", [_READING], {})


def _scored(result: Evaluation, metric: str, model: str | None = None) -> _Scored:
    ties = "expected" if result.definitions[metric].ties == EXPECTED else "gallery order"
    return _Scored(metric, result.scores[metric], ties, model)


def _interval(score: Score) -> str | None:
    if score.low is None or score.high is None:
        return None
    return f"[{short(score.low)}, {short(score.high)}]"


def _signed_interval(one: ModelDifference) -> str | None:
    if one.low is None or one.high is None:
        return None
    return f"[{signed(one.low)}, {signed(one.high)}]"


_METRIC: Column[_Scored] = Column(lambda row: row.metric, WORDS, "metric", field="metric")
_VALUE: Column[_Scored] = Column(lambda row: row.score.value, _SCORE, "value", field="value")
_CEILING: Column[_Scored] = Column(
    lambda row: row.score.ceiling, _SCORE, "ceiling", field="ceiling"
)
_MACRO: Column[_Scored] = Column(lambda row: row.score.macro, _SCORE, "macro", field="macro")
_TIES: Column[_Scored] = Column(lambda row: row.ties, WORDS, "ties", field="ties")
_SHOWN = (
    *(_METRIC, _VALUE),
    Column[_Scored](lambda row: _interval(row.score), WORDS, "95% interval"),
    *(_CEILING, _MACRO, _TIES),
)
_SCORE_COLUMNS: tuple[Column[_Scored], ...] = (
    Column(lambda row: row.model, WORDS, field="model"),
    *(_METRIC, _VALUE),
    Column(lambda row: row.score.low, _SCORE, field="low"),
    Column(lambda row: row.score.high, _SCORE, field="high"),
    *(_CEILING, _MACRO, _TIES),
    Column(lambda row: row.score.queries, _COUNT, field="queries"),
)
_SIGNED: Kind[float] = Kind(text=signed, parts=_SCORE.parts)
_DIFFERENCE: Column[ModelDifference] = Column(
    lambda one: one.value, _SIGNED, "difference", field="value"
)
_VERDICT: Column[ModelDifference] = Column(
    lambda one: one.verdict, WORDS, "verdict", field="verdict"
)
_DIFFERENCE_COLUMNS: tuple[Column[ModelDifference], ...] = (
    Column(lambda one: one.model, WORDS, field="model"),
    Column(lambda one: one.minus, WORDS, field="minus"),
    Column(lambda one: one.metric, WORDS, field="metric"),
    _DIFFERENCE,
    Column(lambda one: one.low, _SCORE, field="low"),
    Column(lambda one: one.high, _SCORE, field="high"),
    _VERDICT,
)
_DIFFERENCES_SHOWN = (
    Column[ModelDifference](lambda one: f"{one.model} - {one.minus}", WORDS, "models"),
    _DIFFERENCE,
    Column[ModelDifference](_signed_interval, WORDS, "95% interval"),
    _VERDICT,
)
