"""Re-rankers against naive references of their published definitions, and at their edges."""

from __future__ import annotations

from typing import Any

import naive_reranking as naive
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.evaluation.reranking.cluster_free import ClusterFree
from dfbench.evaluation.reranking.diffusion import Diffusion
from dfbench.evaluation.reranking.expansion import (
    AlphaQueryExpansion,
    DatabaseAugmentation,
    QueryExpansion,
)
from dfbench.evaluation.reranking.reciprocal import KReciprocal
from dfbench.evaluation.reranking.reranker import Reranker

ALL = (
    QueryExpansion,
    AlphaQueryExpansion,
    DatabaseAugmentation,
    KReciprocal,
    Diffusion,
    ClusterFree,
)
POWERS = (AlphaQueryExpansion, Diffusion)
"""Re-rankers that raise similarities to a power."""
SIMILARITIES = ("cosine", "inner", "euclidean")

Floats = NDArray[np.float32]


def sides(seed: int, queries: int = 6, photos: int = 45, dim: int = 5) -> tuple[Floats, Floats]:
    """Embeddings of four classes; some photos lie far from all others."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(4, dim)) * 2
    made = [
        centres[random.integers(4, size=count)] + random.normal(size=(count, dim))
        for count in (queries, photos)
    ]
    return made[0].astype(np.float32), made[1].astype(np.float32)


def scores(
    cls: type[Reranker], queries: Floats, gallery: Floats, similarity: str, **settings: Any
) -> NDArray[np.float64]:
    reranker = cls(cls.Config(**settings))
    reranker.prepare(torch.from_numpy(gallery), similarity)
    return reranker.scores(torch.from_numpy(queries)).double().numpy()


def assert_close(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Equal but for the rounding of float32, relative to the largest score."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("k", [1, 4, 45, 100])
def test_query_expansion_is_the_mean_of_query_and_neighbours(
    k: int, similarity: str, seed: int
) -> None:
    q, g = sides(seed)
    found = scores(QueryExpansion, q, g, similarity, k=k)
    assert_close(found, naive.query_expansion(q, g, similarity, k))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize(("k", "alpha"), [(1, 3.0), (5, 0.0), (5, 1.5), (100, 3.0)])
def test_alpha_query_expansion_weights_by_powers_of_similarity(
    k: int, alpha: float, similarity: str, seed: int
) -> None:
    q, g = sides(seed)
    found = scores(AlphaQueryExpansion, q, g, similarity, k=k, alpha=alpha)
    expected = naive.alpha_query_expansion(q, g, similarity, k, alpha)
    assert_close(found, expected)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("k", [1, 7, 44, 100])
def test_database_augmentation_averages_photos_with_their_neighbours(
    k: int, similarity: str, seed: int
) -> None:
    q, g = sides(seed)
    found = scores(DatabaseAugmentation, q, g, similarity, k=k)
    assert_close(found, naive.database_augmentation(q, g, similarity, k))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(
    ("k1", "k2", "weight"), [(6, 3, 0.3), (6, 1, 0.0), (5, 4, 0.3), (1, 2, 0.5), (100, 200, 0.3)]
)
def test_k_reciprocal_encodes_mutual_neighbours(
    k1: int, k2: int, weight: float, similarity: str, seed: int
) -> None:
    q, g = sides(seed)
    found = scores(KReciprocal, q, g, similarity, k1=k1, k2=k2, weight=weight)
    reached = min(k1, len(g) - 1)
    expected = naive.k_reciprocal(q, g, similarity, reached, k2, weight)
    assert_close(found, expected)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize(("k", "query_k"), [(3, 1), (6, 4), (100, 100)])
def test_diffusion_solves_the_system_of_the_mutual_graph(
    k: int, query_k: int, similarity: str, seed: int
) -> None:
    q, g = sides(seed)
    chosen = {"k": k, "query_k": query_k, "gamma": 2.0, "alpha": 0.8}
    found = scores(Diffusion, q, g, similarity, **chosen, iterations=200)
    exact = naive.diffusion(q, g, similarity, **chosen)
    plain = naive.table(naive.placed(q, similarity), naive.placed(g, similarity), similarity)
    for row, solved, fallback in zip(found, exact, plain, strict=True):
        reached = solved > 1e-4 * solved.max()
        scaled = solved[reached] / solved.max()
        np.testing.assert_allclose(row[reached], scaled, 1e-3, 1e-5)
        unreached = solved == 0
        assert (row[unreached] <= 0).all()
        order = np.argsort(-fallback[unreached])
        assert (np.diff(row[unreached][order]) <= 0).all()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(
    ("query_k", "gallery_k", "beta", "iterations"),
    [(5, 6, 0.5, 1), (5, 6, 0.5, 4), (1, 1, 3.0, 2), (45, 44, 0.1, 3), (100, 100, 0.5, 5)],
)
def test_cluster_free_reranking_adds_the_votes_of_the_top_photos(
    query_k: int, gallery_k: int, beta: float, iterations: int, similarity: str, seed: int
) -> None:
    q, g = sides(seed)
    chosen = {"query_k": query_k, "gallery_k": gallery_k, "beta": beta, "iterations": iterations}
    found = scores(ClusterFree, q, g, similarity, **chosen)
    expected = naive.cluster_free(q, g, similarity, **chosen)
    for row, order in zip(found, expected, strict=True):
        assert np.argsort(-row, kind="stable").tolist() == order


@pytest.mark.parametrize("cls", ALL)
def test_scores_of_a_query_do_not_depend_on_the_others(cls: type[Reranker]) -> None:
    q, g = sides(0)
    together = scores(cls, q, g, "cosine")
    apart = np.concatenate([scores(cls, row[None], g, "cosine") for row in q])
    np.testing.assert_allclose(together, apart, 1e-5, 1e-6)


@pytest.mark.parametrize("cls", ALL)
def test_gallery_in_several_blocks_gives_the_same_scores(
    cls: type[Reranker], monkeypatch: pytest.MonkeyPatch
) -> None:
    q, g = sides(1)
    whole = scores(cls, q, g, "cosine")
    monkeypatch.setattr("dfbench.evaluation.reranking.space.BLOCK_BYTES", 4 * len(g) * 7)
    np.testing.assert_allclose(scores(cls, q, g, "cosine"), whole, 1e-5, 1e-6)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("kind", ["one photo", "two photos", "all equal", "opposite", "zeros"])
def test_degenerate_galleries_get_finite_scores(
    kind: str, cls: type[Reranker], similarity: str
) -> None:
    if similarity == "euclidean" and cls in POWERS:
        pytest.skip("raises similarities to a power")
    q, g = sides(0)
    galleries = {
        "one photo": g[:1],
        "two photos": g[:2],
        "all equal": np.repeat(g[:1], 30, axis=0),
        "opposite": np.repeat(-q[:1], 30, axis=0),
        "zeros": np.zeros_like(g),
    }
    found = scores(cls, q, galleries[kind], similarity)
    assert found.shape == (len(q), len(galleries[kind]))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("cls", ALL)
def test_inputs_are_not_changed(cls: type[Reranker]) -> None:
    q, g = sides(2)
    before = q.copy(), g.copy()
    for similarity in SIMILARITIES[: 2 if cls in POWERS else 3]:
        scores(cls, q, g, similarity)
    np.testing.assert_array_equal(q, before[0])
    np.testing.assert_array_equal(g, before[1])


@pytest.mark.parametrize("cls", POWERS)
def test_powers_of_distances_are_refused(cls: type[Reranker]) -> None:
    with pytest.raises(InvalidInput, match="'euclidean'; allowed: cosine, inner"):
        scores(cls, *sides(0), "euclidean")
