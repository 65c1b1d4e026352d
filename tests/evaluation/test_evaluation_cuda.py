"""Ranking on a real GPU: both engines give the CPU's scores, whatever the embeddings are like."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dfbench.evaluation import conventions, evaluate, precision_recall, top_k
from dfbench.evaluation.ranking import devices as engines

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
NAMES = (*conventions(20), "prec@200")
Array = npt.NDArray[Any]


def embeddings(kind: str) -> tuple[Array, Array]:
    """Queries and gallery of a kind that strains the arithmetic."""
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(300, 64)), rng.normal(size=(5000, 64))
    if kind == "repeated photos":
        gallery[100:900] = gallery[7]
    if kind == "one long photo":
        gallery[0] *= 3000
    if kind == "large common mean":
        queries, gallery = 1 + 1e-3 * queries, 1 + 1e-3 * gallery
    if kind == "binary codes":
        queries, gallery = np.sign(queries), np.sign(gallery)
    return queries.astype(np.float32), gallery.astype(np.float32)


@pytest.fixture(params=["counting", "plain torch"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine that a GPU is given."""
    if request.param == "counting":
        pytest.importorskip("triton")
    else:
        monkeypatch.setattr(engines, "find_spec", lambda _: None)
    return str(request.param)


@pytest.mark.parametrize("similarity", ["cosine", "inner", "euclidean"])
@pytest.mark.parametrize(
    "kind", ["random", "repeated photos", "one long photo", "large common mean", "binary codes"]
)
def test_gpu_scores_what_the_cpu_scores(kind: str, similarity: str, engine: str) -> None:
    assert engine
    rng = np.random.default_rng(1)
    sides = embeddings(kind)
    labels = rng.integers(9, size=300), rng.integers(9, size=5000)
    options: dict[str, Any] = {"similarity": similarity, "metrics": NAMES, "bootstrap": 0}
    cpu = evaluate(*sides, *labels, **options)
    gpu = evaluate(*sides, *labels, device="cuda", **options)
    for name in NAMES:
        assert gpu.scores[name].value == pytest.approx(cpu.scores[name].value, abs=1e-6), name


def test_gpu_finds_the_same_photos_and_curves_as_the_cpu() -> None:
    rng = np.random.default_rng(2)
    sides = embeddings("random")
    labels = rng.integers(9, size=300), rng.integers(9, size=5000)
    assert (top_k(*sides, 5, device="cuda") == top_k(*sides, 5)).mean() > 0.999
    gpu, cpu = (precision_recall(*sides, *labels, device=device) for device in ("cuda", "cpu"))
    assert np.allclose(gpu.precision, cpu.precision, atol=1e-5)
