"""Class labels from files: lines of text, and columns of CSV and Parquet files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dfbench.errors import InvalidInput, unknown_name
from dfbench.system.files import read_text

LabelArray: TypeAlias = npt.NDArray[Any]

FORMATS = (".csv", ".parquet", ".tsv", ".txt")
_COLUMN = re.compile(r"(?P<file>.*\.(?:csv|tsv|parquet)):(?P<column>[^/]+)", re.IGNORECASE)
_LARGEST = 2**63 - 1
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)


def file_and_column(given: Path) -> tuple[Path, str | None]:
    """The file and column of `labels.csv:column`; without a column, None.

    >>> file_and_column(Path("labels.csv:class"))
    (PosixPath('labels.csv'), 'class')
    """
    match = None if given.exists() else _COLUMN.fullmatch(str(given))
    return (Path(match["file"]), match["column"]) if match else (given, None)


def read_label_file(path: Path, column: str | None) -> LabelArray:
    """Labels [N] of a file of `FORMATS`: integers if all are, otherwise strings.

    A `.txt` has a label a line. Other files have a named column each; `column` may be left out if
    there is one only. Raises `InvalidInput` for an empty label and for a file of other content, and
    `UnknownName` for a column that is not there.
    """
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return label_array(
            path, [line.strip() for line in read_text(path).rstrip("\r\n").splitlines()]
        )
    if suffix == ".parquet":
        return label_array(path, _parquet_column(path, column))
    return label_array(path, _text_column(path, column))


def label_array(path: Path, labels: Sequence[Any]) -> LabelArray:
    """Labels as an array, [N]; texts that are all whole numbers become integers."""
    for place, label in enumerate(labels, start=1):
        if label is None or label == "":
            raise InvalidInput(
                f"{path}: label {place} is empty; allowed: one label for each embedding; fill it"
                " in, or drop the embedding"
            )
        whole = isinstance(label, int) and not isinstance(label, bool) and abs(label) <= _LARGEST
        if not whole and not isinstance(label, str):
            raise InvalidInput(
                f"{path}: label {place} is {label!r:.60}; allowed: integers of 64 bits or"
                " strings; give class indices or class names"
            )
    if all(isinstance(label, int) or _WHOLE.fullmatch(label) for label in labels):
        return np.array([int(label) for label in labels], dtype=np.int64)
    return np.array([str(label) for label in labels], dtype=np.str_)


def _text_column(path: Path, column: str | None) -> list[str]:
    text = read_text(path)
    header = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;", key=header.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    names = [name.strip() for name in rows[0]] if rows else []
    place = names.index(_chosen(path, column, names))
    found = []
    for number, row in enumerate(rows[1:], start=1):
        if row and len(row) != len(names):
            raise InvalidInput(
                f"{path}: row {number} has {len(row)} fields, the header {len(names)}; allowed: the"
                " same number; quote fields that contain the separator"
            )
        # A blank line is an empty label, except where a file has several columns.
        if row or len(names) == 1:
            found.append(row[place].strip() if row else "")
    return found


def _parquet_column(path: Path, column: str | None) -> list[Any]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as fault:
        raise InvalidInput(
            f"{path}: Parquet files need pyarrow, which is not installed; install it: pip install"
            " 'dfbench-sbir[parquet]'; or save the labels as .csv or .txt"
        ) from fault
    try:
        name = _chosen(path, column, parquet.read_schema(path).names)
        values: list[Any] = parquet.read_table(path, columns=[name]).column(0).to_pylist()
    except ArrowException as fault:
        raise ValueError(str(fault)) from fault
    return values


def _chosen(path: Path, column: str | None, names: list[str]) -> str:
    """The column to read. Raises `InvalidInput` if it is not clear which."""
    if column is None:
        if len(names) == 1:
            return names[0]
        raise InvalidInput(
            f"{path} has the columns {', '.join(names) or 'none'}; allowed: one of them; name it:"
            f" {path.name}:{names[0] if names else 'COLUMN'}"
        )
    if names.count(column) > 1:
        raise InvalidInput(
            f"{path} has {names.count(column)} columns {column!r}; allowed: one; rename the others"
        )
    if column not in names:
        raise unknown_name("column", column, names, f"the columns of {path.name}")
    return column
