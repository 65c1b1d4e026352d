"""The committed page of results says what the committed records and comparisons say."""

from __future__ import annotations

from pathlib import Path

from dfbench.records.store import ResultStore
from dfbench.reporting.comparisons.file import keep_current, read_comparisons
from dfbench.reporting.tables.page import PREAMBLE, results_page, wanted

RESULTS = Path(__file__).resolve().parents[2] / "results"


def test_results_page_is_what_the_committed_files_give() -> None:
    records = list(ResultStore(RESULTS))
    assert records
    ids = (record.eval_id for record in records)
    kept = keep_current(read_comparisons(RESULTS), wanted(records), ids)
    preamble = (RESULTS / PREAMBLE).read_text(encoding="utf-8")
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert page == results_page(records, kept.answers, preamble)


def test_committed_comparisons_are_of_committed_records() -> None:
    records = list(ResultStore(RESULTS))
    ids = (record.eval_id for record in records)
    assert not keep_current(read_comparisons(RESULTS), wanted(records), ids).stale


def test_committed_records_are_of_clean_source() -> None:
    assert all(record.environment.dirty is False for record in ResultStore(RESULTS))
