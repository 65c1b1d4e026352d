"""What a run keeps to be looked at: which queries, and that finished runs can be given it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench import BENCHMARK, Bench
from PIL import Image
from safetensors.numpy import load_file, save_file

from dfbench.identity import derive_seed
from dfbench.records.showcase import (
    QUERIES_FILE,
    SHEET_FILE,
    SHOWCASE_FOLDER,
    chosen_queries,
    read_confusion,
    read_showcase,
)


def test_best_median_and_worst_are_of_different_classes_where_there_are_some() -> None:
    values = np.array([0.9, 0.95, 0.8, 0.5, 0.55, 0.5, 0.1, 0.2, 0.05, np.nan])
    labels = np.array([0, 0, 1, 2, 0, 1, 1, 1, 0, 2])
    chosen = chosen_queries(values, labels)
    by_standing = {
        name: [query for standing, query in chosen if standing == name]
        for name in ("best", "median", "worst")
    }
    assert by_standing["best"] == [1, 2, 3]
    assert 5 in by_standing["median"]
    assert by_standing["worst"][0] == 8
    everyone = [query for _, query in chosen]
    assert len(set(everyone)) == len(everyone)
    assert 9 not in everyone


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_few_queries_are_each_shown_once(count: int) -> None:
    chosen = chosen_queries(np.linspace(1, 0, count), np.zeros(count, np.int64))
    assert sorted(query for _, query in chosen) == list(range(count))


def test_a_run_keeps_a_line_of_thumbnails_for_each_query_it_shows(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    folder = _folder(quick_bench)
    showcase = read_showcase(folder)
    with Image.open(folder / SHOWCASE_FOLDER / SHEET_FILE) as sheet:
        size = sheet.width // showcase.columns
        assert sheet.height == size * len(showcase.queries)
    assert all(len(query.photo_labels) == showcase.columns - 1 for query in showcase.queries)
    with np.load(folder / "per_query.npz") as stored:
        values = stored["map@all"]
    for query in showcase.queries:
        assert query.average_precision == pytest.approx(values[query.query], abs=1e-6)
    assert showcase.queries[0].average_precision == pytest.approx(np.nanmax(values), abs=1e-6)
    shares = read_confusion(folder)
    assert shares.shape == (len(BENCHMARK),) * 2
    assert shares.sum(axis=1) == pytest.approx(1)


def test_a_finished_run_without_showcase_is_given_it_and_not_repeated(quick_bench: Bench) -> None:
    before = quick_bench.record("classifier-only")
    folder = _folder(quick_bench)
    kept = {file: file.read_bytes() for file in (folder / SHOWCASE_FOLDER).iterdir()}
    times = {file: file.stat().st_mtime_ns for file in folder.glob("embeddings*")}
    for file in kept:
        file.unlink()
    assert quick_bench.record("classifier-only") == before
    assert {file: file.read_bytes() for file in kept} == kept
    assert {file: file.stat().st_mtime_ns for file in times} == times


def test_run_of_an_earlier_version_is_given_a_showcase_by_the_order_it_derived(
    quick_bench: Bench,
) -> None:
    record = quick_bench.record("classifier-only")
    folder = _folder(quick_bench)
    kept = {file: file.read_bytes() for file in (folder / SHOWCASE_FOLDER).iterdir()}
    _reorder_as_earlier_versions(folder, record["fit_id"])
    for file in (*kept, folder / "labels.npz"):
        file.unlink()
    assert quick_bench.record("classifier-only") == record
    assert {file: file.read_bytes() for file in kept} == kept
    assert (folder / "labels.npz").is_file()


def test_run_whose_order_is_lost_is_not_shown_in_a_wrong_one(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    folder = _folder(quick_bench)
    (folder / SHOWCASE_FOLDER / QUERIES_FILE).unlink()
    (folder / "labels.npz").unlink()
    finished = quick_bench.run("classifier-only")
    assert finished.status == 0
    assert "the order of its test images was not stored" in finished.err
    assert not (folder / SHOWCASE_FOLDER / QUERIES_FILE).is_file()


def _reorder_as_earlier_versions(folder: Path, fit_id: str) -> None:
    """Put the embeddings of a run into the order that followed from its identity."""
    file = folder / "embeddings.safetensors"
    embeddings = load_file(file)
    with np.load(folder / "labels.npz") as stored:
        for modality, rows in embeddings.items():
            seed = derive_seed("test image order", fit_id, modality)
            derived = np.random.default_rng(seed).permutation(len(rows))
            embeddings[modality] = rows[np.argsort(stored[f"{modality}_order"])][derived]
    save_file(embeddings, file)


def test_what_is_broken_in_the_folder_of_a_finished_run_is_said(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    folder = _folder(quick_bench)
    (folder / SHOWCASE_FOLDER / QUERIES_FILE).unlink()
    (folder / "embeddings.safetensors").write_bytes(b"broken")
    finished = quick_bench.run("classifier-only")
    assert finished.status == 0
    assert "best and worst queries cannot be shown" in finished.err
    assert "--force repeats the run" in finished.err


def _folder(bench: Bench) -> Path:
    (folder,) = bench.runs.glob("*/*")
    return folder
