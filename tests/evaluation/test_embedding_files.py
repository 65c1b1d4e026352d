"""Files of embeddings, and the command that scores them."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from dfbench.cli.evaluate import evaluate as command
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.evaluation import conventions, evaluate
from dfbench.evaluation.embedding_files import read_embeddings
from dfbench.evaluation.report import SCHEMA_VERSION

Side = npt.NDArray[Any]
Run = Callable[..., Result]

E = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
LABELS = np.arange(12) % 3


def save(path: Path, embeddings: Side = E, labels: Side = LABELS) -> Path | None:
    """The same content in the form that the extension asks for; returns a file of labels too."""
    if path.suffix == ".npz":
        np.savez(path, embeddings=embeddings, labels=labels)
    elif path.suffix == ".safetensors":
        tensors = {"embeddings": torch.tensor(embeddings), "labels": torch.tensor(labels)}
        save_file(tensors, path)
    elif path.suffix == ".pt":
        torch.save({"embeddings": torch.tensor(embeddings), "labels": torch.tensor(labels)}, path)
    else:
        np.save(path, embeddings)
        np.save(path.with_name("labels.npy"), labels)
        return path.with_name("labels.npy")
    return None


@pytest.mark.parametrize("extension", [".npz", ".safetensors", ".npy", ".pt"])
def test_every_format_holds_the_same_embeddings(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"q{extension}"
    found = read_embeddings(path, save(path))
    np.testing.assert_array_equal(np.asarray(found.embeddings), E)
    np.testing.assert_array_equal(np.asarray(found.labels), LABELS)


@pytest.mark.parametrize("extension", [".npz", ".npy"])
def test_numpy_files_are_mapped_and_not_read(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"q{extension}"
    labels = save(path)
    assert isinstance(read_embeddings(path, labels).embeddings, np.memmap)


@pytest.mark.parametrize("order", ["C", "F"])
def test_mapped_npz_keeps_the_order_of_its_arrays(tmp_path: Path, order: str) -> None:
    np.savez(tmp_path / "q.npz", embeddings=np.asarray(E, order=order), labels=LABELS)
    np.testing.assert_array_equal(read_embeddings(tmp_path / "q.npz").embeddings, E)


def test_compressed_npz_and_names_of_classes_are_read(tmp_path: Path) -> None:
    names = np.array(["owl", "bee", "sea cow"])[LABELS]
    np.savez_compressed(tmp_path / "q.npz", embeddings=E, labels=names)
    found = read_embeddings(tmp_path / "q.npz")
    np.testing.assert_array_equal(found.embeddings, E)
    assert found.labels.tolist() == names.tolist()


def test_unusable_files_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no zip")
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "odd.safetensors").write_bytes(b"123")
    (tmp_path / "q.csv").write_text("1,2")
    torch.save(Path("a"), tmp_path / "object.pt")
    torch.save(3, tmp_path / "number.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "text.pt").write_text("no archive")
    np.savez(tmp_path / "pickled.npz", embeddings=np.array([{}], dtype=object), labels=LABELS)
    np.savez(tmp_path / "unnamed.npz", E, LABELS)
    for name, words in [
        ("text.npz", "cannot be read"),
        ("short.npy", "cannot be read"),
        ("odd.safetensors", "cannot be read"),
        ("pickled.npz", "cannot be read .*bject"),
        ("q.csv", "allowed: .npy, .npz, .pt, .pth, .safetensors"),
        ("object.pt", "cannot be read .it contains Python objects other than tensors"),
        ("text.pt", "cannot be read"),
        ("number.pt", "cannot be read .it contains a int"),
        ("weights.pt", "has no embeddings and no labels .it has: bias, weight"),
        ("absent.npz", "is not a file"),
        ("unnamed.npz", "has no embeddings and no labels .it has: arr_0, arr_1"),
    ]:
        with pytest.raises(InvalidInput, match=words) as refused:
            read_embeddings(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_npy_without_labels_says_how_to_give_them(tmp_path: Path) -> None:
    save(tmp_path / "q.npy")
    with pytest.raises(InvalidInput, match="--query-labels"):
        read_embeddings(tmp_path / "q.npy")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command on one pair of files."""
    save(tmp_path / "q.npz")
    save(tmp_path / "g.safetensors", np.roll(E, 1, axis=0))

    def invoke(*options: str) -> Result:
        files = ["--queries", str(tmp_path / "q.npz"), "--gallery", str(tmp_path / "g.safetensors")]
        return CliRunner().invoke(command, [*files, "--device", "cpu", *options])

    return invoke


def test_command_prints_every_convention_with_its_definition(run: Run) -> None:
    printed = run("--metric", "all", "--bootstrap", "10")
    assert printed.exit_code == 0, printed.output
    for name in conventions(200):
        assert f"\n {name} " in printed.output
        assert f"\n{name}: mean over" in printed.output or f"\n{name}: share" in printed.output
    assert "12 queries, 12 photos, similarity cosine" in printed.output


def test_command_prints_a_document_for_programs(run: Run) -> None:
    document = json.loads(
        run("--metric", "prec@3", "--metric", "df-sbir", "--format", "json").output
    )
    assert list(document["scores"]) == ["prec@3", "df-sbir"]
    score = document["scores"]["prec@3"]
    assert score["low"] <= score["value"] <= score["high"] <= score["ceiling"] == 1
    formula = document["definitions"]["prec@3"]["formula"]
    assert formula == "mean over queries of (hits among the first 3) / 3"
    assert set(document["per_class"]["prec@3"]) == {"0", "1", "2"}
    assert document["skipped"] == []


def test_document_has_the_names_and_values_of_the_python_object(run: Run) -> None:
    document = json.loads(run("--metric", "map@all", "--format", "json").stdout)
    result = evaluate(E, np.roll(E, 1, axis=0), LABELS, LABELS, metrics="map@all")
    assert document.pop("schema_version") == SCHEMA_VERSION
    assert document.keys() < vars(result).keys()
    assert document["scores"]["map@all"] == pytest.approx(asdict(result.scores["map@all"]))
    classes = {str(label): value for label, value in result.per_class["map@all"].items()}
    assert document["per_class"]["map@all"] == pytest.approx(classes)


def test_command_leaves_a_user_error_to_the_main_group(run: Run) -> None:
    assert isinstance(run("--metric", "nonsense").exception, DfbenchError)
    assert isinstance(run("--similarity", "nonsense").exception, DfbenchError)
