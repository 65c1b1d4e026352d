"""The readings of an embedding space that `benchmarks.readings` compares."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from dfbench.evaluation import evaluate

CLASSES = 4
COUNTS = {"photo": 40, "sketch": 24}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder: rows of embeddings in a shuffled order, labels in the dataset's."""
    random = np.random.default_rng(0)
    labels = {m: np.arange(count) % CLASSES for m, count in COUNTS.items()}
    orders = {m: random.permutation(count) for m, count in COUNTS.items()}
    stored = {m: posteriors(labels[m][orders[m]], random) for m in COUNTS}
    save_file(stored, tmp_path / "embeddings-posterior.safetensors")
    save_file({m: np.log(stored[m]) for m in stored}, tmp_path / "embeddings.safetensors")
    arrays = labels | {f"{m}_order": orders[m] for m in COUNTS}
    np.savez(tmp_path / "labels.npz", allow_pickle=False, **arrays)
    return tmp_path


@pytest.fixture
def found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    scores: dict[str, float] = import_module("benchmarks.readings").readings(folder)
    return scores


def posteriors(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
    powers = np.exp(2 * np.eye(CLASSES)[labels] + random.normal(size=(len(labels), CLASSES)))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def test_a_softmax_at_temperature_one_has_the_score_of_the_posteriors(
    folder: Path, found: dict[str, float]
) -> None:
    stored = load_file(folder / "embeddings-posterior.safetensors")
    with np.load(folder / "labels.npz") as labels:
        expected = evaluate(
            stored["sketch"],
            stored["photo"],
            labels["sketch"][labels["sketch_order"]],
            labels["photo"][labels["photo_order"]],
            similarity="inner",
            bootstrap=0,
        )
    assert found["T = 1"] == pytest.approx(expected.scores["map@all"].value, abs=1e-6)


def test_readings_of_one_space_differ(found: dict[str, float]) -> None:
    assert found["T = 1"] > found["logits, cosine"] > 1 / CLASSES
