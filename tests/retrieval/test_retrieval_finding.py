from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stand_in import stand_in_run

from dfbench.errors import InvalidInput, UnknownName
from dfbench.retrieval import FoundRun, export, find_run


def test_run_is_found_by_its_identities_its_name_and_its_folder(tmp_path: Path) -> None:
    folder, record = stand_in_run(tmp_path)
    stand_in_run(tmp_path, seed=1)
    names = (record.fit_id, record.fit_id[:4], record.eval_id[:12], folder.name, "crossx-s0")
    (file,) = (tmp_path / "results").rglob(f"*-{record.eval_id[:12]}.json")
    for named in (*names, str(folder), file.stem):
        found = find_run(named, tmp_path / "results", tmp_path / "runs")
        assert found == FoundRun(folder, record), named


def test_run_without_record_and_export_are_found(tmp_path: Path) -> None:
    folder, record = stand_in_run(tmp_path)
    nowhere = tmp_path / "nowhere"
    for named in (record.fit_id[:6], record.fit_id):
        assert find_run(named, nowhere, tmp_path / "runs") == FoundRun(folder, None)
    made = export(FoundRun(folder, None), tmp_path / "out").folder
    assert find_run(str(made), nowhere, nowhere) == FoundRun(made, None)


def test_unknown_run_names_the_nearest_ones(tmp_path: Path) -> None:
    folder, record = stand_in_run(tmp_path)
    named = record.fit_id[:5] + "zz"
    with pytest.raises(UnknownName) as fault:
        find_run(named, tmp_path / "results", tmp_path / "runs")
    assert f"unknown run {named!r}; nearest: {folder.name};" in str(fault.value)


def test_beginning_of_several_runs_is_told(tmp_path: Path) -> None:
    for seed in (0, 1):
        stand_in_run(tmp_path, seed)
    with pytest.raises(InvalidInput, match="2 runs match 'crossx'"):
        find_run("crossx", tmp_path / "results", tmp_path / "runs")


def test_record_whose_encoders_are_gone_says_how_to_get_them(tmp_path: Path) -> None:
    folder, record = stand_in_run(tmp_path)
    shutil.rmtree(folder)
    with pytest.raises(InvalidInput, match=r"has no encoders .*--runs, or repeat the run"):
        find_run(record.fit_id, tmp_path / "results", tmp_path / "runs")
