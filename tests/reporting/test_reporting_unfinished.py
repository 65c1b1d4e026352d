"""Runs that did not finish are counted, with their reasons, wherever finished ones are shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from shelf import Shelf
from site_shelf import words

from dfbench.process.folder import TRACEBACK_FILE
from dfbench.records.state import RunState, Subject, write_state
from dfbench.records.store import run_folder
from dfbench.reporting.tables.unfinished import counted, unfinished_runs

COUNTS = "4 runs did not finish: 1 failed, 1 interrupted, 1 skipped, 1 timeout"
REASON = "fit() raised RuntimeError: no luck"


def _leave(
    shelf: Shelf, state: RunState, row: str = "crossx", scenario: str = "closed", seed: int = 7
) -> Path:
    """The folder of a run in this state."""
    subject = Subject(method=row, dataset="sketchy", scenario=scenario, seed=seed)
    name = f"{scenario}{seed}".replace("=", "").ljust(12, "x")
    folder = run_folder(shelf.runs, "sketchy", row, seed, name)
    folder.mkdir(parents=True)
    write_state(folder, state.model_copy(update={"subject": subject}))
    return folder


@pytest.fixture
def troubled(shelf: Shelf) -> Shelf:
    """Two finished runs beside one of each other kind."""
    shelf.add("crossx", 0.2)
    shelf.add("mib", 0.1, scenario="overlap=0.5")
    folder = _leave(shelf, RunState(status="failed", reason=REASON), "crossx[bn]")
    (folder / TRACEBACK_FILE).write_text("Traceback")
    _leave(shelf, RunState(status="timeout", reason="took longer than 90 s"), seed=8)
    _leave(shelf, RunState(status="skipped", reason="no such scenario"), "mib", "overlap=0.5")
    broken_off = RunState(status="failed", reason="interrupted", interrupted=True)
    _leave(shelf, broken_off, seed=9)
    return shelf


def _call(shelf: Shelf, *arguments: str) -> str:
    finished = shelf.call(*arguments, "--runs", str(shelf.runs))
    assert finished.status == 0, finished.err
    return " ".join(finished.out.split()) + " ".join(finished.err.split())


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html", "csv", "json"])
def test_every_format_of_a_table_counts_unfinished_runs(troubled: Shelf, form: str) -> None:
    assert COUNTS in _call(troubled, "table", "--format", form)


@pytest.mark.parametrize("kind", ["datasets", "overlap"])
def test_every_kind_of_table_counts_unfinished_runs(troubled: Shelf, kind: str) -> None:
    assert COUNTS in _call(troubled, "table", kind)


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_reasons_and_tracebacks_are_named(troubled: Shelf, form: str) -> None:
    text = _call(troubled, "table", "--format", form)
    assert REASON in text
    assert "took longer than 90 s" in text
    assert TRACEBACK_FILE in text


def test_page_and_figure_say_it_in_a_note(troubled: Shelf) -> None:
    page, figure = troubled.place / "page.md", troubled.place / "bars.svg"
    assert COUNTS in _call(troubled, "table", "--page", str(page))
    assert "did not finish" not in page.read_text(encoding="utf-8")  # made from records alone
    arguments = ("plot", "bars", "--scenario", "closed", "-o", str(figure))
    assert "3 runs did not finish" in _call(troubled, *arguments)


def test_report_lists_them_on_the_overview_and_on_their_own_table(troubled: Shelf) -> None:
    target = troubled.place / "report"
    assert COUNTS in _call(troubled, "report", "-o", str(target))
    overview = words((target / "index.html").read_text(encoding="utf-8"))
    assert COUNTS in overview
    assert REASON in overview
    (closed,) = target.glob("data/*closed*")
    (overlap,) = target.glob("data/*overlap*")
    assert "3 runs did not finish" in words(closed.read_text(encoding="utf-8"))
    assert "1 run did not finish: 1 skipped" in words(overlap.read_text(encoding="utf-8"))


def test_json_of_the_report_has_state_reason_and_place(troubled: Shelf) -> None:
    arguments = ("report", "-o", str(troubled.place / "report"), "--runs", str(troubled.runs))
    listed = troubled.call(*arguments, "--format", "json").json["unfinished"]
    assert {one["status"] for one in listed} == {"failed", "timeout", "skipped", "interrupted"}
    (failed,) = (one for one in listed if one["status"] == "failed")
    assert failed["subject"]["method"] == "crossx[bn]"
    assert failed["reason"] == REASON
    assert failed["see"].endswith(TRACEBACK_FILE)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--scenario", "overlap=0.5"), "1 run did not finish: 1 skipped"),
        (("--method", "mib"), "1 run did not finish: 1 skipped"),
        (("--method", "crossx"), "3 runs did not finish"),
        (("--dataset", "sketchy"), COUNTS),
    ],
)
def test_filters_choose_among_unfinished_runs(
    troubled: Shelf, options: tuple[str, ...], count: str
) -> None:
    assert count in _call(troubled, "table", *options)


def test_finished_runs_alone_are_not_remarked_upon(shelf: Shelf) -> None:
    shelf.add("crossx", 0.2)
    assert "finish" not in _call(shelf, "table")


def test_a_failed_repetition_of_a_recorded_run_does_not_count(shelf: Shelf) -> None:
    record = shelf.add("crossx", 0.2)
    write_state(shelf.folder(record), RunState(status="failed", reason=REASON))
    assert unfinished_runs(shelf.runs, shelf.records) == []


def test_states_of_earlier_versions_are_named_by_their_folders(shelf: Shelf) -> None:
    folder = shelf.runs / "sketchy" / "crossx-bn-s3-0123456789ab"
    folder.mkdir(parents=True)
    write_state(folder, RunState(status="failed", reason=REASON))
    (found,) = unfinished_runs(shelf.runs, ())
    assert found.summary.startswith(f"{folder.name}: failed: {REASON}")
    assert found.is_of(["crossx[bn]"], "sketchy")
    assert not found.is_of(["mib"])
    assert not found.is_of((), "sketchy", "closed")
    assert not found.is_of((), "tuberlin")


def test_without_any_record_the_error_counts_what_failed(shelf: Shelf) -> None:
    _leave(shelf, RunState(status="failed", reason=REASON))
    for verb in (("table",), ("report",), ("plot", "bars", "-o", "x.svg")):
        refused = shelf.call(*verb, "--runs", str(shelf.runs)).refused()
        assert "1 run did not finish: 1 failed" in refused


def test_no_run_needs_no_count() -> None:
    assert counted([]) == ""
