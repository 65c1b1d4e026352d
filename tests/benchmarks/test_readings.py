"""The readings of an embedding space that `benchmarks.readings` compares."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dfbench.evaluation import evaluate
from dfbench.modality import MODALITIES
from dfbench.reporting.run_folders import EmbeddedTest

CLASSES = 4


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # it is no part of the package
    return import_module("benchmarks.readings")


@pytest.fixture
def posterior() -> EmbeddedTest:
    random = np.random.default_rng(0)
    labels = {m: np.arange(n) % CLASSES for m, n in zip(MODALITIES, (40, 24), strict=True)}
    powers = {
        m: np.exp(2 * np.eye(CLASSES)[labels[m]] + random.normal(size=(len(labels[m]), CLASSES)))
        for m in MODALITIES
    }
    rows = {m: (powers[m] / powers[m].sum(axis=1, keepdims=True)) for m in MODALITIES}
    return EmbeddedTest({m: rows[m].astype(np.float32) for m in rows}, labels, "inner")


def test_a_softmax_at_temperature_one_has_the_score_of_the_posteriors(
    benchmark: ModuleType, posterior: EmbeddedTest
) -> None:
    expected = evaluate(
        posterior.embeddings["sketch"],
        posterior.embeddings["photo"],
        posterior.labels["sketch"],
        posterior.labels["photo"],
        similarity="inner",
        bootstrap=0,
    )
    found = benchmark.readings(posterior, posterior)
    assert found["T = 1"] == pytest.approx(expected.scores["map@all"].value, abs=1e-6)


def test_embeddings_are_read_apart_from_the_posteriors(
    benchmark: ModuleType, posterior: EmbeddedTest
) -> None:
    turned = {m: rows[:, ::-1].copy() for m, rows in posterior.embeddings.items()}
    worse = replace(posterior, embeddings=turned | {"photo": posterior.embeddings["photo"]})
    found = benchmark.readings(worse, posterior)
    assert found["T = 1"] > found["logits, cosine"] > found["embedding"]


def test_record_that_cannot_be_read_is_one_line(
    benchmark: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["readings", str(tmp_path / "absent.json")])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
