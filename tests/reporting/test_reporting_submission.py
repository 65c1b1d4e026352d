"""Records made elsewhere: what is verified, what is refused, and what is merged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench import Bench
from safetensors.numpy import load_file, save_file

from dfbench.records.record import OfficialNetwork, Record, RecordedScore, metrics_digest
from dfbench.records.store import ResultStore
from dfbench.reporting.submission import Submission, Submitter, submitted_files

COMMITTED = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def record() -> Record:
    """A committed record of CrossX-DFL."""
    return next(
        one
        for one in ResultStore(COMMITTED)
        if (one.method.label, one.data.name, one.scenario) == ("crossx", "shapes", "closed")
    )


def scored(record: Record, scores: dict[str, RecordedScore]) -> Record:
    """The record with other scores and consistent digests, as an insider would forge it."""
    digests = record.digests.model_copy(update={"metrics": metrics_digest(scores)})
    return record.model_copy(update={"metrics": scores, "digests": digests})


def shifted(record: Record, by: float) -> Record:
    """With another map@all."""
    score = record.metrics["map@all"]
    changed = score.model_copy(update={"value": score.value + by})
    return scored(record, record.metrics | {"map@all": changed})


def official(record: Record, checksum: str) -> Record:
    """With teachers said to be official."""
    stated = OfficialNetwork(checksum=checksum, provenance={})
    teachers = {
        name: teacher.model_copy(update={"official": stated})
        for name, teacher in record.teachers.items()
    }
    return record.model_copy(update={"teachers": teachers})


def redefined(record: Record) -> Record:
    """With another definition of a metric."""
    definition = record.definitions["prec@200"].model_copy(update={"formula": "mean of hits"})
    return record.model_copy(update={"definitions": record.definitions | {"prec@200": definition}})


def submitted(record: Record, place: Path, submitter: Submitter) -> Submission:
    """What is found about a record stored by someone else."""
    return submitter.verify(ResultStore(place / "theirs").write(record))


@pytest.fixture
def submitter(tmp_path: Path, record: Record) -> Submitter:
    """An installation that provides networks of the teachers' identities."""
    known = {teacher.identity: "right" for teacher in record.teachers.values()}
    return Submitter(ResultStore(tmp_path / "results"), known)


def test_a_record_is_verified_and_added_once(
    record: Record, submitter: Submitter, tmp_path: Path
) -> None:
    found = submitted(official(record, "right"), tmp_path, submitter)
    assert found.verified == [
        "checksums",
        "identity",
        "official photo teacher",
        "official sketch teacher",
    ]
    assert (found.unverified, found.problems) == (["scores: no --runs"], [])
    submitter.merge(found)
    submitter.merge(again := submitted(record, tmp_path, submitter))
    assert (found.merged, again.merged) == ("added", "already there")
    assert len(list(submitter.store)) == 1


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        (lambda r: r.model_copy(update={"seed": 9}), "another identity of the fit"),
        (lambda r: r.model_copy(update={"fit_id": "0" * 32}), "of the record and the fit"),
        (
            lambda r: r.model_copy(update={"budget": r.budget.model_copy(update={"steps": 10})}),
            "another identity of the fit",
        ),
        (lambda r: shifted(r, 0.9), "map@all is 1."),
        (lambda r: shifted(r, -0.9), "allowed: 0 to 1"),
        (redefined, "prec@200 is defined as 'mean of hits'"),
        (lambda r: official(r, "wrong"), "differs from that of this installation"),
    ],
)
def test_a_forged_record_is_refused_by_name(
    forge: Callable[[Record], Record],
    problem: str,
    record: Record,
    submitter: Submitter,
    tmp_path: Path,
) -> None:
    found = submitted(forge(record), tmp_path, submitter)
    assert any(problem in one for one in found.problems), found.problems
    submitter.merge(found)
    assert not list(submitter.store)


def test_an_edited_file_is_refused(record: Record, submitter: Submitter, tmp_path: Path) -> None:
    file = ResultStore(tmp_path / "theirs").write(record)
    file.write_text(file.read_text().replace('"seed": ', '"seed": 1'))
    assert "changed after recording" in submitter.verify(file).problems[0]
    absent = submitter.verify(tmp_path / "absent.json").problems
    assert absent == ["cannot be read: No such file or directory"]
    file.write_text("{}")
    assert "not a record" in submitter.verify(file).problems[0]


def test_other_scores_of_an_identity_are_kept_apart_unless_replaced(
    record: Record, submitter: Submitter, tmp_path: Path
) -> None:
    submitter.store.write(record)
    found = submitted(shifted(record, 0.01), tmp_path, submitter)
    submitter.merge(found)
    assert "its identity is there with map@all" in found.problems[0]
    found = submitted(shifted(record, 0.01), tmp_path, submitter)
    submitter.merge(found, replace=True)
    assert found.merged == "replaced"
    assert [one.digests for one in submitter.store] == [shifted(record, 0.01).digests]


def test_a_results_folder_is_read_without_its_comparisons() -> None:
    files = submitted_files([COMMITTED, next(COMMITTED.glob("shapes/*.json"))])
    assert len(files) == len(set(files)) == len(list(COMMITTED.glob("*/*.json")))


def test_scores_are_computed_again_from_embeddings(quick_bench: Bench, tmp_path: Path) -> None:
    quick_bench.record("classifier-only")
    theirs, runs = tmp_path / "results", tmp_path / "runs"
    (file,) = submitted_files([theirs])
    submitter = Submitter(ResultStore(tmp_path / "merged"), {}, runs)
    found = submitter.verify(file)
    assert found.problems == []
    assert found.verified[-1] == "scores"
    assert found.record is not None
    wrong = ResultStore(tmp_path / "wrong").write(shifted(found.record, 1e-3))
    assert "its embeddings give" in submitter.verify(wrong).problems[0]
    (stored,) = runs.glob("*/*/embeddings.safetensors")
    embeddings = load_file(stored)
    save_file({**embeddings, "photo": np.flip(embeddings["photo"], 0).copy()}, stored)
    assert submitter.verify(file).problems == ["its embeddings are not those that were recorded"]
    nowhere = replace(submitter, runs=tmp_path / "nowhere")
    assert "scores: no embeddings in --runs" in nowhere.verify(file).unverified


def test_command_merges_what_is_right_and_names_what_is_not(
    bench: Bench, record: Record, tmp_path: Path
) -> None:
    theirs = ResultStore(tmp_path / "theirs")
    right = theirs.write(record)
    wrong = theirs.write(record.model_copy(update={"eval_id": "1" * 32}))
    ended = bench.call("submit", str(right), str(wrong), "--results", str(tmp_path / "ours"))
    assert "1 of 2 records are refused" in ended.refused()
    assert "added" in ended.out
    assert [one.eval_id for one in ResultStore(tmp_path / "ours")] == [record.eval_id]
    dry = bench.call("submit", str(right), "--dry-run", "--results", str(tmp_path / "none"))
    assert (dry.status, "valid" in dry.out) == (0, True)
    assert not (tmp_path / "none").exists()
    elsewhere = ("--runs", str(tmp_path / "elsewhere"))
    assert "does not exist" in bench.call("submit", str(right), *elsewhere).refused()
    (tmp_path / "empty").mkdir()
    assert "no records in" in bench.call("submit", str(tmp_path / "empty")).refused()
