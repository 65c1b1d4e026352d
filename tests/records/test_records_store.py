from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from synthetic import synthetic_record

from dfbench.errors import InvalidInput
from dfbench.records import store as store_module
from dfbench.records.record import SCHEMA_VERSION, Record
from dfbench.records.store import ResultStore, file_name
from dfbench.system.file_errors import DiskFull


def test_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store, record = ResultStore(tmp_path), synthetic_record()
    path = store.write(record)
    assert list(store) == [record]
    assert store.find(record.eval_id) == (path, record)
    assert store.find("0" * 32) is None


def test_record_is_named_by_dataset_row_seed_and_identity(tmp_path: Path) -> None:
    record = synthetic_record("crossx[bn]", dataset="folder:my pictures", seed=3)
    path = ResultStore(tmp_path).write(record)
    expected = f"folder-my-pictures/crossx-bn-s3-{record.eval_id[:12]}.json"
    assert path.relative_to(tmp_path).as_posix() == expected


def test_record_of_the_same_identity_is_replaced_and_others_stay(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(synthetic_record(seed=0))
    store.write(synthetic_record(seed=1))
    store.write(synthetic_record(seed=1, value=0.9))
    assert sorted(record.metrics["map@all"].value for record in store) == [0.5, 0.9]


def test_rows_whose_names_collide_in_files_keep_apart(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(synthetic_record("crossx[bn]"))
    store.write(synthetic_record("crossx-bn"))
    assert {record.method.label for record in store} == {"crossx[bn]", "crossx-bn"}


@pytest.mark.parametrize(
    "label", ["crossx[bn]", "folder:../../etc", "a b/c", "crossx", "a\\b", "é"]
)
def test_file_name_is_safe(label: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9.-]*", file_name(label))
    assert "/" not in file_name(label)


def _edited(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            del content[key]
        else:
            content[key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"seed": "first"}, "seed"),
        ({"metrics": {"map@all": {"value": 1}}}, "metrics.map@all.low"),
        ({"comment": "mine"}, "comment"),
        ({"chance": None}, "chance"),
        ({"status": "perfect"}, "status"),
        ({"schema_version": SCHEMA_VERSION + 1}, "schema_version"),
        ({"schema_version": "2"}, "schema_version"),
        ({"schema_version": None}, "schema_version"),
        ({"seed": 7}, "checksum"),
        ({"parameters": 999}, "checksum"),
        ({"numerics": "cuda-fp32"}, "checksum"),
        ({"checksum": "0" * 32}, "checksum"),
        ({"checksum": None}, "checksum"),
        ({"schema_version": 1}, "schema_version"),
        ({"chance": float("nan")}, "checksum"),
        ({"budget": {}}, "budget.backbone_rate"),
        ({"recipe": {}}, "recipe.alternative_steps"),
    ],
)
def test_record_edited_by_hand_is_left_out_and_named_with_the_field(
    changes: dict[str, Any], place: str, tmp_path: Path
) -> None:
    store = ResultStore(tmp_path)
    good, edited = synthetic_record(seed=0), synthetic_record(seed=1)
    store.write(good)
    path = store.write(edited)
    _edited(path, **changes)
    again = ResultStore(tmp_path)
    assert list(again) == [good]
    (problem,) = again.problems
    assert problem.file == path
    text = str(problem)
    assert str(path) in text
    assert f"({place}: " in text
    assert "\n" not in text
    with pytest.raises(InvalidInput, match="move it out of the results folder"):
        again.find(edited.eval_id)


def test_score_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    path = ResultStore(tmp_path).write(synthetic_record(value=0.5))
    path.write_text(path.read_text().replace("0.5,", "0.9,", 1))
    (problem,) = ResultStore(tmp_path).problems
    assert "scores are not those recorded" in problem.reason


def test_record_made_by_a_newer_version_is_refused_as_such(tmp_path: Path) -> None:
    path = ResultStore(tmp_path).write(synthetic_record())
    _edited(path, schema_version=SCHEMA_VERSION + 1, something="new")
    (problem,) = ResultStore(tmp_path).problems
    assert "written by a newer dfbench" in problem.reason


def test_record_under_the_name_of_another_run_is_noticed(tmp_path: Path) -> None:
    path = ResultStore(tmp_path).write(synthetic_record())
    path.rename(path.with_name("crossx-s0-0123456789ab.json"))
    (problem,) = ResultStore(tmp_path).problems
    assert "its file name says '0123456789ab'" in problem.reason


@pytest.mark.parametrize("version", [1, 3, None, "4"])
def test_record_of_another_schema_is_refused_with_the_remedy(version: Any, tmp_path: Path) -> None:
    path = ResultStore(tmp_path).write(synthetic_record())
    _edited(path, schema_version=version)
    assert list(ResultStore(tmp_path)) == []
    (problem,) = ResultStore(tmp_path).problems
    assert problem.reason.startswith(f"schema_version: {version!r}; allowed: {SCHEMA_VERSION}")
    assert "repeat the run" in problem.reason


def test_looking_up_an_identity_reads_its_own_record_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [synthetic_record(seed=seed) for seed in range(5)]
    for record in records:
        ResultStore(tmp_path).write(record)
    store, read = ResultStore(tmp_path), []
    real = store_module.read_record
    monkeypatch.setattr(store_module, "read_record", lambda b: read.append(b) or real(b))
    found = store.find(records[3].eval_id)
    assert found is not None
    assert found[1] == records[3]
    assert len(read) == 1


def test_full_disk_keeps_the_record_before(tmp_path: Path, full_disk: Any) -> None:
    store, record = ResultStore(tmp_path), synthetic_record()
    path = store.write(record)
    full_disk(100)
    with pytest.raises(DiskFull):
        store.write(synthetic_record(value=0.9))
    assert list(path.parent.iterdir()) == [path]
    assert list(store) == [record]


def test_record_says_what_it_was_made_of(quick_bench: Any) -> None:
    record = Record.model_validate(quick_bench.record("crossx", "--seed", "2"))
    assert record.method.needs == ("modality classifier",)
    assert record.method.config["rounds"] == 2
    assert record.budget.steps == 4
    assert record.recipe.network == "resnet-tiny"
    assert record.seed == 2
    assert record.numerics == "cpu-fp32"
    assert record.environment.threads == 1
    assert record.data.classes == ("boat", "cup", "sun")
    assert record.data.alternative == "folder:pictures (spare)"
    assert (record.data.queries, record.data.gallery) == (6, 6)
    assert set(record.representations) == {"posterior"}
    assert set(record.metrics) == set(record.definitions)
    assert all(0 <= t.accuracy <= 1 for t in record.teachers.values())
    assert all(s.low <= s.value <= s.high for s in record.metrics.values())
    assert record.metrics["prec@200"].ceiling == pytest.approx(2 / 200)


def test_record_holds_no_path_and_no_host(quick_bench: Any) -> None:
    quick_bench.record("classifier-only")
    text = next(quick_bench.results.rglob("*.json")).read_text()
    import socket

    assert str(quick_bench.place.parent) not in text
    assert str(quick_bench.cache) not in text
    assert str(quick_bench.pictures.parent) not in text
    assert f'"{socket.gethostname()}"' not in text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"schema_version": 4',
        b'{"schema_version": 4}}',
        b"[" * 100_000,
        b'{"schema_version": "\xff"}',
        b'{"a": "\\ud800"}',
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_file_that_is_not_json_is_left_out_with_that_reason(content: bytes, tmp_path: Path) -> None:
    ResultStore(tmp_path).write(synthetic_record())
    (tmp_path / "sketchy" / "other-s0-000000000000.json").write_bytes(content)
    store = ResultStore(tmp_path)
    assert len(list(store)) == 1
    (problem,) = store.problems
    assert "not JSON" in problem.reason


def test_record_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    record = synthetic_record()
    path = ResultStore(tmp_path).write(record)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(ResultStore(tmp_path)) == [record]


def test_records_of_a_dataset_are_found_in_any_folder_and_verified(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for dataset in ("pacs", "shapes"):
        for seed in range(2):
            store.write(synthetic_record(dataset=dataset, seed=seed))
    for place in ("moved", "moved too"):
        (tmp_path / place).mkdir()
    own, other = sorted((tmp_path / "pacs").iterdir())
    own.rename(tmp_path / "moved" / own.name)
    other.write_bytes(other.read_bytes().replace(b"pacs", b"sketchy"))
    (tmp_path / "moved too" / "other-s0-000000000000.json").write_bytes(b"not a record")
    found = ResultStore(tmp_path, "pacs")
    assert [(record.data.name, record.seed) for record in found] == [("pacs", 0)]
    assert {problem.file.parent.name for problem in found.problems} == {"pacs", "moved too"}


def test_edited_record_of_another_dataset_does_not_concern_a_dataset(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(synthetic_record(dataset="pacs"))
    edited = store.write(synthetic_record(dataset="shapes"))
    edited.write_bytes(edited.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    assert ResultStore(tmp_path, "pacs").problems == ()
    assert [problem.file for problem in ResultStore(tmp_path).problems] == [edited]
