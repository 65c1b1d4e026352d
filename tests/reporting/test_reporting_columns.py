"""A column is declared once: every form of a table shows the same values."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas
import pytest
from synthetic import METRICS, synthetic_record

import dfbench
from dfbench.records.record import Record
from dfbench.records.store import ResultStore
from dfbench.reporting.cells import mean_and_deviation
from dfbench.reporting.tables.across_datasets import across_datasets
from dfbench.reporting.tables.columns import (
    SCORES,
    WORDS,
    Column,
    Kind,
    Part,
    Table,
    csv_text,
    data_frame,
    family,
)
from dfbench.reporting.tables.layout import Layout, Typed
from dfbench.reporting.tables.leaderboard import leaderboards
from dfbench.reporting.tables.printing import print_layouts


def _records() -> list[Record]:
    return [
        *(synthetic_record("crossx", seed=s, value=0.6 + s / 7, posterior=0.7) for s in range(3)),
        synthetic_record("meta-data", value=1 / 3, needs=("activation records", "training data")),
        synthetic_record("classifier-only", value=0.3),
        synthetic_record("crossx", dataset="shapes", value=0.1),
        synthetic_record("crossx", dataset="tuberlin", scenario="unseen=t30-sake", value=0.2),
    ]


def _frame(folder: Path, records: list[Record]) -> pandas.DataFrame:
    for record in records:
        ResultStore(folder).write(record)
    return dfbench.table(folder)


def test_frame_has_a_type_for_each_column(tmp_path: Path) -> None:
    frame = _frame(tmp_path, _records())
    words = ("dataset", "scenario", "section", "method", "name", "needs", "published source")
    assert {str(frame[name].dtype) for name in words} == {"string"}
    assert str(frame["seeds"].dtype) == "Int64"
    numbers = [name for name in frame if name not in (*words, "seeds")]
    assert {"map@all", "map@all std", "posterior acc@1", "published map@all"} <= {*numbers}
    assert {str(frame[name].dtype) for name in numbers} == {"float64"}


def test_frame_has_numbers_in_full_precision(tmp_path: Path) -> None:
    frame = _frame(tmp_path, _records())
    crossx = frame[(frame.method == "crossx") & (frame.dataset == "sketchy")].iloc[0]
    values = [0.6 + s / 7 for s in range(3)]
    assert crossx["map@all"] == fmean(values)
    assert crossx["map@all std"] == stdev(values)
    alone = frame[frame.method == "meta-data"].iloc[0]
    assert alone["map@all"] == 1 / 3
    assert pandas.isna(alone["map@all std"])
    assert alone["needs"] == "activation records; training data"
    printed = frame[frame.section == "zero-shot, with data, as published"]
    assert printed.seeds.isna().all()
    assert printed["published map@all"].notna().any()


@pytest.mark.parametrize("name", ["007", "nan", "None", "1e5", "true", "2024-01-01", "a, b", "NA"])
def test_names_that_look_like_something_else_stay_names(tmp_path: Path, name: str) -> None:
    frame = _frame(tmp_path, [synthetic_record("crossx", dataset=name)])
    assert frame.dataset.tolist() == [name]
    assert frame.needs.tolist() == [""]


def test_frame_and_csv_have_the_same_columns_and_values() -> None:
    layouts = leaderboards(_records())
    frame, rows = data_frame(layouts), list(csv.DictReader(io.StringIO(csv_text(layouts))))
    assert list(rows[0]) == list(frame.columns)
    for name in frame:
        for value, text in zip(frame[name], (row[name] for row in rows), strict=True):
            assert text == ("" if pandas.isna(value) else str(value))


@pytest.mark.parametrize("metric", METRICS)
def test_text_json_and_frame_agree(metric: str) -> None:
    layouts = leaderboards(_records(), (metric,))
    frame = data_frame(layouts)
    told: list[dict[str, Any]] = [row for layout in layouts for row in layout.content["rows"]]
    texts = [row for layout in layouts for row in layout.rows]
    assert len(told) == len(texts) == len(frame)
    for content, text, mean in zip(told, texts, frame[metric], strict=True):
        values = content["metrics"].get(metric, [])
        assert text[1] == mean_and_deviation(values)
        assert mean == pytest.approx(fmean(values)) if values else pandas.isna(mean)


def test_datasets_are_objects_with_what_was_run_on_them_alone() -> None:
    (closed, _) = across_datasets(_records())
    rows = {row["method"]: row for row in closed.content["rows"]}
    assert list(rows["crossx"]["datasets"]) == ["shapes", "sketchy"]
    assert list(rows["meta-data"]["datasets"]) == ["sketchy"]
    assert rows["meta-data"]["datasets"]["sketchy"]["posterior"] == {
        m: [] for m in closed.content["metrics"]
    }


def _table(*rows: dict[str, Any]) -> Layout:
    columns: tuple[Column[dict[str, Any]], ...] = (
        Column(lambda row: row["name"], WORDS, "method", ("name",), "name"),
        family("scores"),
        Column(lambda row: row.get("a"), SCORES, "A", ("scores", "a"), "a", ranked=True),
        Column(lambda row: row.get("note"), WORDS, key=("note",), optional=True),
        Column(lambda row: row.get("gap"), Kind(text="{:+.1f}".format), "gap", ("gap",)),
    )
    shown = (columns[0], columns[2], columns[4])
    return Table(columns, shown, {"one": rows}, {"beneath": [("x", "y", "z")]}).layout("t", [], {})


def test_value_that_there_is_not_is_a_dash_and_no_key() -> None:
    layout = _table({"name": "m"}, {"name": "n", "a": [0.5, 0.7], "note": "!", "gap": -0.25})
    assert layout.header == ("method", "A", "gap")
    assert layout.rows == (("m", "-", "-"), ("n", ".600 ± .141", "-0.2"), ("x", "y", "z"))
    assert layout.content["rows"] == [
        {"name": "m", "scores": {}, "gap": None},
        {"name": "n", "scores": {"a": [0.5, 0.7]}, "note": "!", "gap": -0.25},
    ]
    assert layout.sections == (("one", 2), ("beneath", 1))
    assert [list(row) for row in layout.fields()] == [["name"], ["name", "a", "a std"]]


def test_ranks_are_those_of_the_ranked_column_as_printed() -> None:
    layout = _table(
        *({"name": str(v), "a": [v]} for v in (0.50001, 0.1, 0.5, 0.4)), {"name": "none"}
    )
    assert layout.ranks == {(0, 1): "best", (2, 1): "best", (3, 1): "second"}


def test_empty_tables_make_an_empty_frame() -> None:
    assert data_frame([]).empty
    assert csv_text([]) == "\n"


def test_printed_table_makes_neither_json_nor_fields(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []
    kind: Kind[str] = Kind(
        text=str,
        content=lambda value: asked.append("json") or value,
        parts=lambda value: [Part("", Typed(asked.append("fields") or value, "string"))],
    )
    columns: tuple[Column[str], ...] = (Column(str, kind, "name", ("name",), "name"),)
    layout = Table(columns, columns, {"": ["one", "two"]}).layout("t", [], {"fact": 1})
    print_layouts([layout], "text")
    assert "two" in capsys.readouterr().out
    assert asked == []
    rows = [{"name": "one"}, {"name": "two"}]
    assert layout.json == {"title": "t", "fact": 1, "rows": rows, "notes": []}
    assert layout.content == {"fact": 1, "rows": rows}
    assert asked == ["json", "json"]
    assert [row["name"].value for row in layout.fields()] == ["one", "two"]
    assert asked == ["json", "json", "fields", "fields"]
