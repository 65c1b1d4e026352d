"""States that change while they are looked at, and what is said of a tree nobody can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfbench.records import environment, state
from dfbench.records.environment import read_environment
from dfbench.records.state import RunState, read_state, write_state


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
