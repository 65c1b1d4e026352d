"""The committed page of results says what the committed records say."""

from __future__ import annotations

from pathlib import Path

from dfbench.reporting.layout import markdown
from dfbench.reporting.leaderboard import leaderboards
from dfbench.runs.store import ResultStore

RESULTS = Path(__file__).resolve().parents[2] / "results"


def test_results_page_holds_the_tables_of_the_committed_records() -> None:
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    tables = leaderboards(ResultStore(RESULTS))
    assert tables
    for table in tables:
        assert markdown(table) in page


def test_committed_records_are_of_clean_source() -> None:
    assert all(record.environment.dirty is False for record in ResultStore(RESULTS))
