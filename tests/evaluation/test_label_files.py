"""Labels from text, CSV, Parquet and tensor files."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dfbench.errors import DfbenchError, InvalidInput, UnknownName
from dfbench.evaluation.embedding_files import read_embeddings

E = np.eye(3)
NAMES = ["owl", "bee", "sea cow"]


def labels_of(folder: Path, file: str, text: str, column: str = "") -> list[object]:
    """The labels that a file of this text gives three embeddings."""
    np.save(folder / "q.npy", E)
    (folder / file).write_bytes(text.encode())
    given = folder / (f"{file}:{column}" if column else file)
    labels: list[object] = np.asarray(read_embeddings(folder / "q.npy", given).labels).tolist()
    return labels


@pytest.mark.parametrize(
    ("file", "text", "column"),
    [
        ("l.txt", "owl\nbee\nsea cow\n", ""),
        ("l.txt", "owl\r\nbee\r\nsea cow", ""),
        ("l.txt", "\ufeffowl\n bee \nsea cow\n\n", ""),
        ("l.csv", "class\nowl\nbee\nsea cow\n", ""),
        ("l.csv", "file,class\na,owl\nb,bee\nc,sea cow\n", "class"),
        ("l.CSV", 'file,class\n"a,1",owl\nb,"bee"\n"c\nd",sea cow\n\n', "class"),
        ("l.csv", "file;class\na,1;owl\nb,2;bee\nc,3;sea cow\n", "class"),
        ("l.tsv", "class\tfile\nowl\ta\nbee\tb\nsea cow\tc", "class"),
        ("a:b.csv", "x:y,z\nowl,1\nbee,2\nsea cow,3", "x:y"),
    ],
)
def test_labels_are_read_from_lines_and_columns(
    tmp_path: Path, file: str, text: str, column: str
) -> None:
    assert labels_of(tmp_path, file, text, column) == NAMES


def test_whole_numbers_become_integers_and_other_digits_stay_names(tmp_path: Path) -> None:
    assert labels_of(tmp_path, "l.txt", "0\n-3\n12\n") == [0, -3, 12]
    assert labels_of(tmp_path, "l.csv", "n\n007\n7\n07\n") == ["007", "7", "07"]
    assert labels_of(tmp_path, "l.csv", "n\n1.0\n2\n3\n") == ["1.0", "2", "3"]
    assert labels_of(tmp_path, "l.txt", f"{10**30}\n2\n3\n") == [str(10**30), "2", "3"]


@pytest.mark.parametrize(
    ("file", "text", "column", "words"),
    [
        ("l.csv", "file,class\na,owl\n", "clas", "unknown column 'clas'; did you mean 'class'?"),
        ("l.csv", "file,class\na,owl\n", "", "has the columns file, class; .* name it: l.csv:file"),
        ("l.csv", "class,class\na,owl\n", "class", "has 2 columns 'class'"),
        ("l.csv", "file,class\na,owl\nb\n", "class", "row 2 has 1 fields, the header 2"),
        ("l.csv", "file,class\na,owl\nb,\n", "class", "label 2 is empty"),
        ("l.csv", "class\nowl\n\nbee\n", "", "label 2 is empty"),
        ("l.csv", 'class\n"owl', "", "cannot be read"),
        ("l.csv", "", "", "has the columns none"),
        ("l.txt", "owl\n\nbee\n", "", "label 2 is empty"),
        ("l.txt", "owl\0\nbee\n", "", "cannot be read .it contains a NUL"),
        ("l.json", "[1]", "", "ends in '.json'; allowed: .csv, .npy, .npz, .parquet"),
        ("l.parquet", "owl", "class", "l.parquet"),
    ],
)
def test_unusable_labels_are_refused_in_one_line(
    tmp_path: Path, file: str, text: str, column: str, words: str
) -> None:
    with pytest.raises((InvalidInput, UnknownName), match=words) as refused:
        labels_of(tmp_path, file, text, column)
    assert "\n" not in str(refused.value)


def test_missing_file_of_labels_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", E)
    with pytest.raises(InvalidInput, match=r"absent\.csv is not a file"):
        read_embeddings(tmp_path / "q.npy", tmp_path / "absent.csv:class")


def test_labels_come_from_the_labels_of_a_file_of_embeddings(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", E)
    np.savez(tmp_path / "other.npz", embeddings=2 * E, labels=np.array([4, 5, 6]))
    np.savez(tmp_path / "bare.npz", embeddings=E, classes=np.array([4, 5, 6]))
    found = read_embeddings(tmp_path / "q.npy", tmp_path / "other.npz")
    assert np.asarray(found.labels).tolist() == [4, 5, 6]
    with pytest.raises(InvalidInput, match=r"bare.npz has no labels .it has: classes, embeddings"):
        read_embeddings(tmp_path / "q.npy", tmp_path / "bare.npz")


@pytest.mark.parametrize("labels", [NAMES, [3, 1, 2], torch.tensor([3, 1, 2])])
def test_tensor_file_holds_embeddings_with_labels_or_alone(
    tmp_path: Path, labels: list[object]
) -> None:
    embeddings = torch.eye(3, requires_grad=True)
    torch.save({"embeddings": embeddings, "labels": labels, "epoch": 3}, tmp_path / "both.pt")
    torch.save(embeddings, tmp_path / "alone.pt")
    torch.save(labels, tmp_path / "labels.pt")
    both = read_embeddings(tmp_path / "both.pt")
    apart = read_embeddings(tmp_path / "alone.pt", tmp_path / "labels.pt")
    for found in (both, apart):
        np.testing.assert_array_equal(np.asarray(found.embeddings), E)
        assert np.asarray(found.labels).tolist() == list(labels)


@pytest.mark.parametrize("label", [1.5, None, "", True, 2**70, [1]])
def test_tensor_file_with_other_labels_is_refused(tmp_path: Path, label: object) -> None:
    torch.save({"embeddings": torch.eye(2), "labels": [label, label]}, tmp_path / "q.pt")
    with pytest.raises(InvalidInput, match="label 1 is"):
        read_embeddings(tmp_path / "q.pt")


def test_column_of_a_parquet_file_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    np.save(tmp_path / "q.npy", E)
    columns = {"file": ["a", "b", "c"], "class": NAMES, "index": [2, 0, 1], "score": [0.5] * 3}
    parquet.write_table(pyarrow.table(columns), tmp_path / "l.parquet")
    for column, expected in (("class", NAMES), ("index", [2, 0, 1])):
        found = read_embeddings(tmp_path / "q.npy", tmp_path / f"l.parquet:{column}")
        assert np.asarray(found.labels).tolist() == expected
    for column, words in (("score", "label 1 is 0.5"), ("clas", "did you mean 'class'")):
        with pytest.raises(DfbenchError, match=words):
            read_embeddings(tmp_path / "q.npy", tmp_path / f"l.parquet:{column}")


def test_parquet_without_its_reader_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "q.npy", E)
    (tmp_path / "l.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidInput, match=r"pip install 'dfbench-sbir.parquet.'"):
        read_embeddings(tmp_path / "q.npy", tmp_path / "l.parquet:class")
