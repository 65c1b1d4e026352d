"""Where the pages and files of a report lie, relative to its folder."""

from __future__ import annotations

from collections.abc import Sequence

from dfbench.runs.record import Record
from dfbench.runs.store import file_name

OVERVIEW = "index.html"
COMPARISON = "compare.html"
_KEY_LENGTH = 12
_FINGERPRINT_LENGTH = 6


def run_key(record: Record) -> str:
    """What a run is called by in the names of files, and by the script that compares."""
    return record.eval_id[:_KEY_LENGTH]


def run_page(record: Record) -> str:
    """The page of a run."""
    return f"runs/{file_name(record.row.label)}-s{record.seed}-{run_key(record)}.html"


def table_page(table: Sequence[Record]) -> str:
    """The page of a dataset and scenario: of records that one table shows."""
    return f"data/{_place(table[0])}.html"


def values_file(record: Record) -> str:
    """The values of a run's queries."""
    return f"queries/{run_key(record)}.js"


def queries_key(record: Record) -> str:
    """Equal for runs that answer the same queries."""
    return f"{_place(record)}-s{record.seed}"


def queries_file(record: Record) -> str:
    """The classes of the queries that runs have in common."""
    return f"queries/{queries_key(record)}.js"


def _place(record: Record) -> str:
    fingerprint = file_name(record.data.fingerprint)[:_FINGERPRINT_LENGTH]
    return f"{file_name(record.data.name)}-{file_name(record.scenario_title)}-{fingerprint}"
