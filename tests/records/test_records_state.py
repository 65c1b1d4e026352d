"""States that change while they are looked at, and what is said of a tree nobody can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dfbench.records import environment, state
from dfbench.records.environment import read_environment
from dfbench.records.state import (
    RunState,
    Subject,
    read_state,
    run_title,
    several_runs,
    write_state,
)


@pytest.mark.parametrize("after", [RunState(status="done"), RunState(status="running", attempts=2)])
def test_run_that_ends_or_begins_anew_while_its_lock_is_looked_at_is_not_gone(
    after: RunState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(folder: Path) -> bool:
        write_state(folder, after)
        return False

    write_state(tmp_path, RunState(status="running"))
    monkeypatch.setattr(state, "held", held)
    assert read_state(tmp_path) == after


def test_tree_whose_changes_git_cannot_tell_is_not_called_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"rev-parse": "c0ffee", "status": None}
    monkeypatch.setattr(environment, "_git", lambda _, verb, *__: answers[verb])
    found = read_environment("cpu", 1)
    assert (found.commit, found.dirty) == ("c0ffee", None)


def _begun(runs: Path, name: str, scenario: str, rounds: int, dataset: str = "shapes") -> Path:
    folder = runs / dataset / name
    subject = Subject(method="crossx", dataset=dataset, scenario=scenario, seed=0)
    write_state(folder, RunState(status="done", subject=subject))
    job = {"method": {"config": {"rounds": rounds}}, "budget": {"steps": 600}}
    (folder / "job.json").write_text(json.dumps(job))
    return folder


@pytest.mark.parametrize(
    ("other", "marks"),
    [
        (("overlap=0.5", 4, "shapes"), ("scenario=closed", "scenario=overlap=0.5")),
        (("closed", 9, "shapes"), ("rounds=4", "rounds=9")),
        (("closed", 4, "sketchy"), ("dataset=shapes", "dataset=sketchy")),
        (("unseen=0.2", 9, "shapes"), ("scenario=closed, rounds=4", "scenario=unseen=0.2, rounds")),
    ],
)
def test_runs_of_one_name_are_told_apart_by_what_differs(
    tmp_path: Path, other: tuple[str, int, str], marks: tuple[str, str]
) -> None:
    scenario, rounds, dataset = other
    folders = [
        _begun(tmp_path, "crossx-s0-0123", "closed", 4),
        _begun(tmp_path, "crossx-s0-4567", scenario, rounds, dataset),
    ]
    line = str(several_runs("crossx-s0", folders))
    assert f"crossx-s0-0123 ({marks[0]}" in line
    assert f"crossx-s0-4567 ({marks[1]}" in line
    assert "seed=" not in line
    assert "steps" not in line


@pytest.mark.parametrize("job", ["", "{", "[]", '{"method": null}', '{"budget": {}}'])
def test_runs_without_a_readable_job_are_still_named(tmp_path: Path, job: str) -> None:
    folders = [_begun(tmp_path, f"crossx-s0-{digits}", "closed", 4) for digits in ("01", "23")]
    (folders[0] / "job.json").write_text(job)
    line = str(several_runs("crossx", folders))
    assert "2 runs match 'crossx': crossx-s0-01" in line


@pytest.mark.parametrize(
    ("scenario", "title"),
    [
        ("closed", "crossx on shapes, seed 2"),
        ("overlap=0.5", "crossx on shapes, overlap=0.5, seed 2"),
        ("fixed-overlap=0.25", "crossx on shapes, fixed-overlap=0.25, seed 2"),
        ("unseen=0.2", "crossx on shapes, unseen=0.2, seed 2"),
        ("unseen=s21", "crossx on shapes, unseen=s21, seed 2"),
    ],
)
def test_title_of_a_run_says_its_scenario(scenario: str, title: str) -> None:
    assert run_title("crossx", "shapes", scenario, 2) == title
