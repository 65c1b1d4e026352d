"""What `dfbench evaluate` prints for people: one way to write scores, and messages that help."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from bench import CommandLine, Finished


@pytest.fixture
def files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """Embeddings of six queries and nine photos, and their labels as text and CSV."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, count in (("q", 6), ("g", 9)):
        labels = np.arange(count) % 3
        np.savez(f"{name}.npz", embeddings=rng.normal(size=(count, 4)), labels=labels)
        np.save(f"{name}.npy", rng.normal(size=(count, 4)))
        lines = [f"{place}.png,{label}" for place, label in enumerate(labels)]
        Path(f"{name}.csv").write_text("\n".join(["file,class", *lines]) + "\n")
    return CommandLine(tmp_path, monkeypatch, capsys)


def _evaluate(files: CommandLine, *arguments: str) -> Finished:
    return files.call("evaluate", "--bootstrap", "20", *arguments)


def test_one_model_and_several_write_scores_alike(files: CommandLine) -> None:
    sides = ("--queries", "q.npz", "--gallery", "g.npz")
    one = _evaluate(files, *sides, "--metric", "map@all").out
    assert re.search(r"map@all +\.\d{3} +\[\.\d{3}, 1?\.\d{3}\]", one), one
    named = ("--queries", "a=q.npz", "--gallery", "a=g.npz")
    several = _evaluate(files, *named, "--metric", "map@all").out
    (value,) = re.findall(r"map@all +(\.\d{3})", one)
    assert re.search(rf"a +{re.escape(value)}", several), several


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        ("map@all", "mAP@all"),
        ("acc@1", "Acc@1"),
        ("prec@5", "Prec@5"),
        ("ndcg@3", None),
        ("map@5:voc", None),
        ("recall@2", None),
    ],
)
def test_definition_has_the_name_of_its_column(
    metric: str, title: str | None, files: CommandLine
) -> None:
    named = ("--queries", "a=q.npz", "--gallery", "a=g.npz")
    lines = _evaluate(files, *named, "--metric", metric).out.splitlines()
    column = next(line for line in lines if line.split()[:1] == ["model"]).split()[1]
    assert column == (title or column)
    assert any(line.startswith(f"{column}: ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--query-labels", "gone.csv:class"), "gone.csv is not a file; allowed: a file of labels"),
        (("--query-labels", "gone.txt"), "gone.txt is not a file; allowed: a file of labels"),
        (("--gallery-labels", "gone.npy"), "gone.npy is not a file; allowed: a file of labels"),
        (("--query-labels", "q.csv:clas"), "did you mean 'class'? allowed: class, file (see: the"),
        (("--query-labels", "q.doc"), "save labels with"),
    ],
)
def test_error_in_a_label_file_is_about_labels(
    arguments: tuple[str, ...], said: str, files: CommandLine
) -> None:
    labels = {"--query-labels": "q.csv:class", "--gallery-labels": "g.csv:class"}
    labels[arguments[0]] = arguments[1]
    given = [part for pair in labels.items() for part in pair]
    line = _evaluate(files, "--queries", "q.npy", "--gallery", "g.npy", *given).refused()
    assert said in line


def test_missing_embeddings_are_called_embeddings(files: CommandLine) -> None:
    line = _evaluate(files, "--queries", "gone.npz", "--gallery", "g.npz").refused()
    assert "gone.npz is not a file; allowed: a file of embeddings" in line
