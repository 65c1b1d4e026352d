"""Scores that are given rather than computed: the metrics and ties of the plain ranking."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.evaluation import conventions, evaluate
from dfbench.evaluation.given_scores import GivenScores, content_order


def made(seed: int, queries: int = 13, photos: int = 40) -> tuple[Any, Any, Any, Any]:
    random = np.random.default_rng(seed)
    return (
        random.integers(-3, 4, size=(queries, 4)).astype(np.float32),
        random.integers(-3, 4, size=(photos, 4)).astype(np.float32),
        random.integers(4, size=queries),
        random.integers(3, size=photos),  # no photo of the last class
    )


@pytest.mark.parametrize("seed", range(5))
def test_products_as_scores_give_the_plain_evaluation(seed: int) -> None:
    q, g, *labels = made(seed)
    options: dict[str, Any] = {"similarity": "inner", "metrics": conventions(7), "bootstrap": 20}
    plain = evaluate(q, g, *labels, **options)
    given = GivenScores(q, g, *labels, **options)
    order = np.random.default_rng(seed).permutation(len(q))
    for rows in np.array_split(order, 3):
        given.add(rows, q[rows] @ g.T)
    found = given.evaluation()
    for name, score in plain.scores.items():
        assert asdict(found.scores[name]) == pytest.approx(asdict(score), abs=1e-12), name
        assert found.per_class[name] == pytest.approx(plain.per_class[name], abs=1e-12)
    assert found.skipped.tolist() == plain.skipped.tolist()
    assert found.tied_share == pytest.approx(plain.tied_share)


def test_photos_with_equal_embeddings_tie_whatever_their_scores() -> None:
    q, g = np.ones((1, 2), np.float32), np.ones((4, 2), np.float32)
    labels: tuple[NDArray[np.int64], ...] = (np.zeros(1, np.int64), np.array([0, 1, 1, 1]))
    given = GivenScores(q, g, *labels)
    given.add(np.array([0]), np.array([[4.0, 3.0, 2.0, 1.0]]))
    assert given.evaluation().scores == evaluate(q, g, *labels).scores


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (np.ones((2, 39), np.float32), r"shape \[2, 39\]; allowed: \[2, 40\]"),
        (np.ones((1, 40), np.float32), r"shape \[1, 40\]"),
        (np.ones(80, np.float32), r"shape \[80\]"),
        (np.ones((2, 40), np.int64), "int64; allowed: floating point"),
        (np.full((2, 40), np.nan), "not finite .* 2 of 2 queries"),
        (np.array([[0.0] * 40, [0.0] * 39 + [np.inf]]), "1 of 2 queries"),
        (np.array([[0.0] * 40, [0.0] * 39 + [1e200]]), "1 of 2 queries"),
    ],
)
def test_scores_that_cannot_rank_are_refused(scores: Any, told: str) -> None:
    given = GivenScores(*made(0))
    with pytest.raises(InvalidInput, match=told):
        given.add(np.array([0, 1]), scores)


def test_missing_queries_are_refused() -> None:
    q, g, *labels = made(0)
    given = GivenScores(q, g, *labels)
    given.add(np.arange(5), np.zeros((5, len(g))))
    with pytest.raises(InvalidInput, match="8 queries have no scores"):
        given.evaluation()


def test_content_order_is_the_same_for_every_order_of_the_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    shuffled = rows[np.random.default_rng(1).permutation(50)]
    np.testing.assert_array_equal(rows[content_order(rows)], shuffled[content_order(shuffled)])
